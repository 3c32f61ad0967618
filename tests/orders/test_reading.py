"""Reading orders: pages by key, the story, and an admin that shows and touches nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orders import commands, queries
from orders.models import Order, Shop
from orders.queries import OrderFilters
from tests.orders.factories import NOW, a_shop, an_order
from tests.orders.read_side.taking_in import take_in_everything

MakeOrder = Callable[..., Order]


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("kim"))
    return client


def place(shop: Shop, count: int) -> list[str]:
    batch = [an_order(shop_id=shop.pk, external_reference=f"R{n}") for n in range(count)]
    commands.place_orders(batch, now=NOW)
    return [order.external_reference for order in batch]


def test_pages_by_key_show_every_order_once_newest_first(shop: Shop) -> None:
    sent = place(shop, 7)
    place(a_shop(), 3)
    take_in_everything()

    seen: list[str] = []
    page = queries.list_orders(OrderFilters(), shop_id=shop.pk, limit=3)
    while True:
        seen += [order.row.external_reference for order in page.orders]
        if page.after is None:
            break
        page = queries.list_orders(OrderFilters(), shop_id=shop.pk, limit=3, after=page.after)

    assert seen == sent[::-1]


def test_a_list_is_never_larger_than_200_nor_empty_by_a_small_limit(shop: Shop) -> None:
    place(shop, 205)
    take_in_everything()

    assert len(queries.list_orders(OrderFilters(), shop_id=shop.pk, limit=10_000).orders) == 200
    assert len(queries.list_orders(OrderFilters(), shop_id=shop.pk, limit=-1).orders) == 1


def test_another_shops_order_is_not_shown(draft: MakeOrder) -> None:
    order = draft()
    take_in_everything()

    assert queries.get_order(order.pk, a_shop().pk) is None
    found = queries.get_order(order.pk, order.shop_id)
    assert found is not None
    assert (found.row.order_id, found.row.version, found.row.state) == (order.pk, 1, "draft")
    assert [line.position for line in queries.lines_of(order.pk)] == [1, 2]


def test_the_story_says_who_did_what_and_why(draft: MakeOrder) -> None:
    order = draft()
    commands.cancel_order(order.pk, actor="kim", reason="customer rang", now=NOW)

    story = queries.story_of(order.pk)

    assert [(p.version, p.what, p.actor, p.reason) for p in story] == [
        (1, "OrderPlaced", "api", ""),
        (2, "CancellationRequested", "kim", "customer rang"),
        (3, "OrderCancelled", "kim", "customer rang"),
    ]


def test_the_admin_lists_orders_without_counting_them_or_asking_per_row(staff: Client, shop: Shop) -> None:
    place(shop, 30)

    with CaptureQueriesContext(connection) as captured:
        page = staff.get("/admin/orders/order/")

    assert page.status_code == 200
    assert "23.00 EUR" in page.content.decode()
    about_orders = [q["sql"] for q in captured if "orders_order" in q["sql"]]
    assert [sql for sql in about_orders if "COUNT(" in sql.upper()] == []
    assert len(about_orders) == 2


def test_the_admin_finds_an_order_by_the_shops_reference(staff: Client, shop: Shop) -> None:
    place(shop, 12)

    page = staff.get("/admin/orders/order/", {"q": "R1"}).content.decode()

    assert "R1</a>" in page
    assert "R11</a>" not in page


def test_the_admin_shows_an_order_with_its_lines_and_story(staff: Client, draft: MakeOrder) -> None:
    order = draft(name="<script>")

    page = staff.get(f"/admin/orders/order/{order.pk}/change/")

    text = page.content.decode()
    assert page.status_code == 200
    assert [
        word for word in ("OrderPlaced", "SKU", "5.00 EUR", "shipping 3.00 EUR") if word not in text
    ] == []
    assert "<script>&" not in text


@pytest.mark.parametrize("model", ["order", "shop"])
@pytest.mark.parametrize("act", ["add", "change", "delete"])
def test_f80_nobody_edits_an_order_or_a_shop_in_the_admin(
    staff: Client, draft: MakeOrder, model: str, act: str
) -> None:
    order = draft()
    key = order.pk if model == "order" else order.shop_id
    path = f"/admin/orders/{model}/" + ("add/" if act == "add" else f"{key}/{act}/")
    values: dict[str, Any] = {"state": "completed", "total_minor": 1, "name": "Mine now", "post": "yes"}

    answer = staff.post(path, values)

    order.refresh_from_db()
    assert answer.status_code == 403
    assert (order.state, order.total_minor, order.version) == ("draft", 2300, 1)
    assert Shop.objects.get(pk=order.shop_id).name.startswith("Shop ")
