"""Lists of orders: each filter, alone and with others, gives what it says, page after page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orders import commands, queries
from orders.models import Order, Shop
from orders.queries import OrderFilters, lists
from orders.states import State
from sagas.ids import uuid7
from sagas.people import Person
from tests.orders.factories import NOW, a_line, a_shop, an_order
from tests.orders.read_side.taking_in import take_in_everything

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(db: None) -> Shop:
    """A shop with twelve orders R0 to R11, each two days and 1.00 apart; and another with the same references."""
    mine = a_shop()
    for one in (mine, a_shop()):
        commands.place_orders([order(one, n) for n in range(12)], now=NOW)
    ids = dict(Order.objects.filter(shop=mine).values_list("external_reference", "pk"))
    commands.cancel_order(ids["R3"], actor="kim", reason="rang", now=NOW)
    commands.flag_orders({ids["R5"]: "look"}, on_hold=False, now=NOW)
    take_in_everything()
    return mine


def order(shop: Shop, n: int) -> Any:
    return an_order(
        shop_id=shop.pk,
        external_reference=f"R{n}",
        lines=[
            a_line(sku="EVERYWHERE", quantity=1, unit_price_minor=1000 + 100 * n),
            a_line(sku=f"MOD{n % 4}", quantity=1, unit_price_minor=0),
        ],
        charges=[],
        country="DE" if n % 3 else "AT",
        customer_reference=f"C{n % 2}",
        email=f"C{n % 2}@Example.org",
        placed_at=NOW - timedelta(days=2 * n),
    )


def references(shop: Shop, filters: OrderFilters, *, limit: int = 50) -> list[str]:
    """All pages of a list, each page of at most `limit`."""
    seen: list[str] = []
    after = None
    while True:
        page = queries.list_orders(filters, shop_id=shop.pk, after=after, limit=limit)
        assert len(page.orders) <= limit
        seen += [found.row.external_reference for found in page.orders]
        if page.after is None:
            return seen
        after = page.after


NEWEST = [f"R{n}" for n in reversed(range(12))]
FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, NEWEST),
    ({"states": [State.CANCELLED]}, ["R3"]),
    ({"states": [State.CANCELLED, State.DRAFT]}, NEWEST),
    ({"states": [State.COMPLETED]}, []),
    ({"country": "AT"}, ["R9", "R6", "R3", "R0"]),
    ({"sku": "EVERYWHERE"}, NEWEST),
    ({"sku": "MOD3"}, ["R11", "R7", "R3"]),
    ({"sku": "mod3"}, []),
    ({"customer": "C0"}, ["R10", "R8", "R6", "R4", "R2", "R0"]),
    ({"customer": "C"}, []),
    ({"email": "c1@EXAMPLE.org"}, ["R11", "R9", "R7", "R5", "R3", "R1"]),
    ({"reference": "R1"}, ["R1"]),
    ({"reference_prefix": "R1"}, ["R1", "R10", "R11"]),
    ({"reference_prefix": "%"}, []),
    ({"needs_attention": True}, ["R5"]),
    ({"needs_attention": False}, [r for r in NEWEST if r != "R5"]),
    ({"total_from": 1900}, ["R11", "R10", "R9"]),
    ({"total_from": 1200, "total_to": 1400}, ["R4", "R3", "R2"]),
    ({"placed_from": NOW - timedelta(days=4)}, ["R0", "R1", "R2"]),
    ({"placed_from": NOW - timedelta(days=8), "placed_to": NOW - timedelta(days=4)}, ["R3", "R4"]),
    ({"placed_to": NOW - timedelta(days=18), "total_to": 2000}, ["R10"]),
    ({"sku": "EVERYWHERE", "country": "AT", "states": [State.DRAFT]}, ["R9", "R6", "R0"]),
    ({"states": [State.DRAFT, State.CANCELLED], "country": "AT"}, ["R9", "R6", "R3", "R0"]),
    ({"email": "c1@example.org", "total_from": 1900, "sku": "MOD3"}, ["R11"]),
    ({"country": "DE", "customer": "C0", "needs_attention": False}, ["R10", "R8", "R4", "R2"]),
    ({"end_code": "payments.declined"}, []),
]


@pytest.mark.parametrize("limit", [2, 50])
@pytest.mark.parametrize(("asked", "expected"), FILTERS)
def test_a_list_holds_what_was_asked_for_page_after_page(
    shop: Shop, asked: dict[str, Any], expected: list[str], limit: int
) -> None:
    assert references(shop, OrderFilters(**asked), limit=limit) == expected


@pytest.mark.parametrize(("asked", "expected"), FILTERS)
def test_a_list_is_whole_also_when_a_page_looks_at_few_rows_only(
    shop: Shop, asked: dict[str, Any], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "WINDOW", 3)

    assert references(shop, OrderFilters(**asked)) == expected


def test_every_filter_finds_an_order_by_what_it_is(shop: Shop) -> None:
    (found,) = queries.list_orders(OrderFilters(reference="R7"), shop_id=shop.pk).orders
    person = found.row.person_id
    assert person is not None

    assert references(shop, OrderFilters(person_id=person)) == ["R11", "R9", "R7", "R5", "R3", "R1"]
    assert (
        queries.orders_of_customer("C1", shop_id=shop.pk, limit=1).orders[0].row.external_reference == "R11"
    )
    assert (
        queries.orders_of_customer(person, shop_id=shop.pk, limit=1).orders[0].row.external_reference == "R11"
    )
    assert queries.orders_of_customer(uuid7(), shop_id=shop.pk).orders == []


def test_an_erased_customer_has_no_name_any_more_and_nothing_is_to_be_done_for_it(shop: Shop) -> None:
    for person in Person.objects.filter(shop_id=shop.pk, reference__startswith="C1/"):
        Person.objects.filter(pk=person.pk).update(
            name="", email="", address={}, reference=f"erased/{person.pk}", erased_at=NOW
        )

    (found,) = queries.list_orders(OrderFilters(reference="R7"), shop_id=shop.pk).orders

    assert (found.customer.reference, found.customer.name, found.customer.email) == ("", "", "")
    assert references(shop, OrderFilters(email="c1@example.org")) == []


def test_the_key_of_a_list_in_another_order_is_refused(shop: Shop) -> None:
    by_amount = queries.list_orders(OrderFilters(total_from=0), shop_id=shop.pk, limit=1).after

    with pytest.raises(ValueError, match="another order"):
        queries.list_orders(OrderFilters(), shop_id=shop.pk, after=by_amount)


@pytest.mark.parametrize("group_by", [("day",), ("country", "status"), ()])
def test_the_summary_is_the_sum_of_the_orders(shop: Shop, group_by: tuple[str, ...]) -> None:
    filters = queries.SummaryFilters(since=(NOW - timedelta(days=9)).date(), until=NOW.date())

    found = queries.order_summary(filters, shop_id=shop.pk, group_by=group_by)

    assert sum(line.orders for line in found) == 5
    assert sum(line.total_minor for line in found) == 1000 + 1100 + 1200 + 1300 + 1400
    assert len(found) == {("day",): 5, ("country", "status"): 3, (): 1}[group_by]


def test_the_summary_can_be_narrowed(shop: Shop) -> None:
    filters = queries.SummaryFilters(
        since=(NOW - timedelta(days=30)).date(),
        until=NOW.date(),
        countries=["AT"],
        statuses=[State.CANCELLED],
        currencies=["EUR", "GBP"],
    )

    (found,) = queries.order_summary(filters, shop_id=shop.pk, group_by=["status", "country"])

    assert (found.day, found.country, found.status, found.currency) == (None, "AT", "cancelled", "EUR")
    assert (found.orders, found.total_minor, found.captured_minor, found.refunded_minor) == (1, 1300, 0, 0)
    with pytest.raises(ValueError, match="split by"):
        queries.order_summary(filters, shop_id=shop.pk, group_by=["colour"])
