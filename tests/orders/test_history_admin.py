"""Staff see an order as it stood: read-only, by version, with the way back to now."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from orders import repository
from orders.models import Order
from sagas.ids import uuid7
from tests.orders.factories import NOW, a_line

MakeOrder = Callable[..., Order]


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("kim"))
    return client


@pytest.fixture
def order(confirmed: MakeOrder) -> Order:
    """Five events: placed, accepted, confirmed, and a mug cancelled."""
    order = confirmed(lines=[a_line(sku="MUG", name="Mug")])
    loaded, part = repository.load([order.pk], with_lines=True)[order.pk], uuid7()
    now = NOW + timedelta(hours=1)
    loaded.request_cancellation(part, reason="one is broken", whole=False, now=now)
    loaded.cancel_lines(part, [{"sku": "MUG", "quantity": 1}], amount_minor=500, now=now)
    repository.save([loaded], now=now, actor="kim", reason="one is broken")
    return order


def page(staff: Client, order: Order, **query: Any) -> Any:
    return staff.get(f"/admin/orders/order/{order.pk}/change/", query)


def text(response: Any) -> str:
    assert response.status_code == 200
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(bare))


LINE = "1 MUG Mug goods 2 {cancelled} 0 0 5.00 EUR 10.00 EUR"


def test_the_page_of_now_says_so_and_leads_to_every_version(staff: Client, order: Order) -> None:
    found = page(staff, order)

    assert "As it stands now, at version 5 OrderLinesCancelled 2026-01-05 10:00:00 UTC · by kim" in text(
        found
    )
    assert LINE.format(cancelled=1) in text(found)
    for version in range(1, 5):
        assert f'href="?as_of={version}"' in found.content.decode()
    assert "Back to now" not in text(found)


def test_an_earlier_version_shows_state_money_and_lines_of_then(staff: Client, order: Order) -> None:
    found = text(page(staff, order, as_of=2))

    assert "As it stood at version 2 of 5 OrderAccepted 2026-01-05 09:00:00 UTC" in found
    assert "Back to now" in found
    assert re.search(r"State: pending", found, re.IGNORECASE)
    assert "0.00 EUR / 0.00 EUR" in found
    assert LINE.format(cancelled=0) in found


@pytest.mark.parametrize("as_of", ["0", "6", "-1", "x", "٣", "9" * 40, ""])
def test_a_version_that_does_not_exist_shows_the_order_of_now(
    staff: Client, order: Order, as_of: str
) -> None:
    assert "As it stands now, at version 5" in text(page(staff, order, as_of=as_of))


def test_looking_back_changes_nothing_and_posting_is_refused(staff: Client, order: Order) -> None:
    page(staff, order, as_of=1)
    answer = staff.post(f"/admin/orders/order/{order.pk}/change/?as_of=1", {"state": "draft"})

    order.refresh_from_db()
    assert answer.status_code == 403
    assert (order.state, order.version) == ("confirmed", 5)


def test_a_page_of_no_order_is_not_an_error(staff: Client) -> None:
    assert staff.get(f"/admin/orders/order/{uuid7()}/change/?as_of=1").status_code == 302
    assert staff.get("/admin/orders/order/nonsense/change/").status_code == 302


def test_a_very_long_story_offers_the_versions_nearby(staff: Client, order: Order) -> None:
    for number in range(40):
        loaded = repository.load([order.pk])[order.pk]
        if loaded.needs_attention:
            loaded.clear_attention(now=NOW)
        else:
            loaded.need_attention(f"reason {number}", on_hold=False, owner="", now=NOW)
        repository.save([loaded], now=NOW)

    found = page(staff, order, as_of=20).content.decode()

    nav = found.partition('aria-label="Versions"')[2].partition("</nav>")[0]
    assert re.findall(r"as_of=(\d+)", nav) == [str(n) for n in range(8, 33) if n != 20]
    assert 'max="45" value="20"' in nav
