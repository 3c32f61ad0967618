"""The pages of refunds in a real browser: they fit, read in both schemes, and work without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from orders.models import Order, RefundRequest
from payments.gateways import use_gateway
from payments.gateways.fake import FakeGateway
from payments.models import Refund
from sagas import board
from sagas.clock import travel
from shipping.carriers import use_carrier
from shipping.carriers.fake import FakeCarrier
from tests.e2e.conftest import PASSWORD
from tests.orders.giving_back.house import House
from tests.orders.refunding.asking import fails, limits, part

if TYPE_CHECKING:
    from playwright.sync_api import Page
else:
    Page = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: run `make e2e`"
    ).Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Open = Callable[..., Page]
Picture = Callable[[Page, str], None]


@pytest.fixture
def scene(transactional_db: None) -> Iterator[None]:
    """Nobody's orders yet, and an operator who can sign in."""
    gateway, carrier = FakeGateway(), FakeCarrier()
    use_gateway(gateway)
    use_carrier(carrier)
    travel(0)
    board.forget()
    User.objects.create_superuser("olga", "olga@waybill.invalid", PASSWORD)
    yield
    board.forget()
    travel(0)
    use_gateway(None)
    use_carrier(None)


@pytest.fixture
def order(scene: None) -> Order:
    """An order of which one refund waits and another that is owed."""
    from payments.gateways import get_gateway
    from shipping.carriers import get_carrier

    house = House(get_gateway(), get_carrier())  # type: ignore[arg-type]  # the fakes of the scene
    owed = house.fulfilled("536366", MUG=1)
    fails(house, owed)
    order = house.fulfilled("536365", MUG=3, TEA=12)
    with limits(0):
        part(order, 1_250)
    return order


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 1360), ("light", 420)])
def test_the_pages_of_refunds_fit(
    open_page: Open, order: Order, picture: Picture, scheme: str, width: int
) -> None:
    page = open_page("/staff/", scheme=scheme, width=width)
    addresses = {
        "refunds": reverse("refunds:page"),
        "refunds-of-order": reverse("refunds:order", args=[order.pk]),
        "refund-waits": reverse("refunds:refund", args=[RefundRequest.objects.get(order=order).pk]),
        "refund-failed": reverse("money:refund", args=[Refund.objects.get(state="failed").pk]),
    }
    for name, address in addresses.items():
        answer = page.goto(address)
        picture(page, f"{name}-{scheme}-{width}")

        assert answer is not None
        assert answer.status == 200
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
            f"{name} is too wide"
        )


def test_a_refund_is_asked_for_without_scripts(open_page: Open, order: Order) -> None:
    page = open_page(reverse("admin:orders_order_change", args=[order.pk]), scripts=False)
    page.get_by_role("link", name="Refunds of this order").click()
    page.get_by_label("Pieces", exact=True).check()
    page.get_by_label("Pieces of line 1").fill("2")
    page.get_by_label("Reason").fill("two mugs had a crack")
    page.get_by_role("button", name="Refund").click()

    page.get_by_text("10.00 GBP is being paid back.").wait_for()
    assert RefundRequest.objects.filter(order=order, state="running", amount_minor=1000).count() == 1
