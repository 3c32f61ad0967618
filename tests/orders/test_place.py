"""Placing orders: once per shop and reference, in one commit, in a fixed number of statements."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from orders import commands, contract, repository
from orders.aggregate import Order as Aggregate
from orders.commands import Placed
from orders.intake import PlaceOrder
from orders.models import Order, OrderLine, Shop
from orders.totals import InvalidOrder, TotalMismatch
from sagas import log
from sagas.models import Saga, StoredEvent
from sagas.people import read_people
from sagas.personal import Person
from tests.orders.factories import NOW, a_line, a_shop, an_order


def row_of(order_id: UUID) -> dict[str, Any]:
    """The row under the aggregate's names."""
    return Order.objects.values(*repository.COLUMNS).get(pk=order_id)


def test_an_order_its_lines_its_fact_and_its_saga_are_one_commit(shop: Shop) -> None:
    sent = an_order(shop_id=shop.pk, external_reference="536365", customer_reference="17850")

    placed = commands.place_order(sent, now=NOW, correlation_id="req-1")

    order = Order.objects.get(pk=placed.order_id)
    assert (order.state, order.version, order.total_minor) == ("draft", 1, 2300)
    assert (order.goods_minor, order.charges_minor, order.charges) == (
        2000,
        300,
        [{"kind": "shipping", "amount_minor": 300}],
    )
    assert [line.total_minor for line in OrderLine.objects.order_by("position")] == [1000, 1000]
    (event,) = log.read(placed.order_id)
    assert event.type == "orders.OrderPlaced"
    assert event.metadata == {"actor": "api", "correlation_id": "req-1", "led": True}
    saga = Saga.objects.get()
    assert (saga.definition, saga.reference, saga.subject_id) == (
        "orders.fulfil_order",
        "536365",
        placed.order_id,
    )
    assert saga.context == {
        "person_id": str(order.person_id),
        "country": "DE",
        "payment_method": "pm_card_visa",
        "total_minor": 2300,
        "currency": "EUR",
    }
    assert (saga.amount_minor, saga.currency, saga.search_key) == (2300, "EUR", "536365")


def test_the_row_is_what_replaying_the_stream_gives(shop: Shop) -> None:
    placed = commands.place_order(an_order(shop_id=shop.pk), now=NOW)

    assert Aggregate.from_events(log.read(placed.order_id)).snapshot() == row_of(placed.order_id)


def test_nothing_personal_is_in_the_event_or_the_saga(shop: Shop) -> None:
    commands.place_order(an_order(shop_id=shop.pk, customer_reference="17850"), now=NOW)

    stored = str(StoredEvent.objects.values_list("data", flat=True).get()) + str(Saga.objects.get().context)
    assert [word for word in ("Ada", "ada@", "Long Road", "17850") if word in stored] == []
    assert Person.objects.get().name == "Ada Example"


def test_a_later_order_to_another_address_does_not_redirect_the_earlier_parcel(shop: Shop) -> None:
    first, second = (
        commands.place_order(
            an_order(shop_id=shop.pk, customer_reference="C", address={"street": street}), now=NOW
        )
        for street in ("Old Street 1", "New Street 2")
    )

    person = Order.objects.get(pk=first.order_id).person_id
    assert read_people([person])[person].address == {"street": "Old Street 1"}
    assert Order.objects.get(pk=second.order_id).person_id != person


def test_f04_the_same_reference_again_is_answered_with_the_first_order(shop: Shop) -> None:
    first = commands.place_order(an_order(shop_id=shop.pk, external_reference="R"), now=NOW)
    again = an_order(shop_id=shop.pk, external_reference="R", country="FR", name="Eve", address={})

    second = commands.place_order(again, now=NOW + timedelta(hours=1))

    assert second == Placed(first.order_id, "R", existing=True)
    assert first.existing is False
    assert (Order.objects.count(), OrderLine.objects.count(), Saga.objects.count()) == (1, 2, 1)
    assert (StoredEvent.objects.count(), Person.objects.get().name) == (1, "Ada Example")


def test_two_shops_may_use_the_same_reference(shop: Shop) -> None:
    other = a_shop()

    placed = commands.place_orders(
        [an_order(shop_id=s.pk, external_reference="R") for s in (shop, other)], now=NOW
    )

    assert [p.existing for p in placed if isinstance(p, Placed)] == [False, False]
    assert Order.objects.count() == 2


def test_a_batch_answers_each_order_in_its_place(shop: Shop) -> None:
    known = commands.place_order(an_order(shop_id=shop.pk, external_reference="known"), now=NOW)
    batch = [
        an_order(shop_id=shop.pk, external_reference="new"),
        an_order(shop_id=shop.pk, external_reference="bad", expected_total_minor=2299),
        an_order(shop_id=shop.pk, external_reference="known"),
        an_order(shop_id=shop.pk, external_reference="new"),
    ]

    new, bad, old, twin = commands.place_orders(batch, now=NOW)

    assert isinstance(new, Placed)
    assert new.existing is False
    assert isinstance(bad, TotalMismatch)
    assert old == Placed(known.order_id, "known", existing=True)
    assert twin == Placed(new.order_id, "new", existing=True)
    assert set(Order.objects.values_list("external_reference", flat=True)) == {"known", "new"}


def test_of_two_orders_under_one_reference_in_a_batch_the_first_is_placed(shop: Shop) -> None:
    one = an_order(shop_id=shop.pk, external_reference="R", payment_method="pm_first")
    other = dataclasses.replace(one, payment_method="pm_second")

    first, second = commands.place_orders([one, other], now=NOW)

    order = Order.objects.get()
    assert first == Placed(order.pk, "R", existing=False)
    assert second == Placed(order.pk, "R", existing=True)
    assert order.payment_method == "pm_first"


def test_f06_one_minor_unit_off_stores_nothing(shop: Shop) -> None:
    with pytest.raises(TotalMismatch):
        commands.place_order(an_order(shop_id=shop.pk, expected_total_minor=2301), now=NOW)

    assert (Order.objects.count(), StoredEvent.objects.count(), Person.objects.count()) == (0, 0, 0)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"external_reference": ""}, "orders.text_invalid"),
        ({"external_reference": "x" * 101}, "orders.text_invalid"),
        ({"external_reference": "a\x00b"}, "orders.text_invalid"),
        ({"name": "\ud800"}, "orders.text_invalid"),
        ({"address": {"street": "a\nb"}}, "orders.text_invalid"),
        ({"address": {"street": 7}}, "orders.text_invalid"),
        ({"address": {str(n): "x" for n in range(21)}}, "orders.text_invalid"),
        ({"payment_method": ""}, "orders.text_invalid"),
        ({"country": "Germany"}, "orders.country_invalid"),
        ({"country": "de"}, "orders.country_invalid"),
        ({"placed_at": datetime(2026, 1, 5, 9)}, "orders.placed_at_invalid"),  # noqa: DTZ001
        ({"placed_at": NOW + timedelta(days=2)}, "orders.placed_at_invalid"),
        ({"placed_at": datetime(9999, 1, 1, tzinfo=UTC)}, "orders.placed_at_invalid"),
    ],
)
def test_f09_what_cannot_be_stored_is_refused_with_a_stable_code(bad: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidOrder) as refused:
        an_order(**bad).check(now=NOW)

    assert refused.value.code == code


def test_an_order_of_1114_lines_is_placed(shop: Shop) -> None:
    lines = [a_line(sku="85123A", quantity=1) for _ in range(1114)]

    placed = commands.place_order(an_order(shop_id=shop.pk, lines=lines, charges=[]), now=NOW)

    assert OrderLine.objects.filter(order_id=placed.order_id).count() == 1114
    assert Order.objects.get().total_minor == 1114 * 500


def test_250_orders_cost_as_many_statements_as_two(shop: Shop) -> None:
    def statements(count: int) -> int:
        batch = [an_order(shop_id=shop.pk) for _ in range(count)]
        with CaptureQueriesContext(
            connection,
        ) as captured:
            answers = commands.place_orders(batch, now=NOW)
        assert all(isinstance(a, Placed) and not a.existing for a in answers)
        return len(captured)

    statements(1)

    assert statements(250) == statements(2) == statements(1) <= 8


def test_an_order_whose_transaction_fails_leaves_nothing(shop: Shop) -> None:
    with transaction.atomic():
        commands.place_order(an_order(shop_id=shop.pk), now=NOW)
        transaction.set_rollback(True)

    assert (Order.objects.count(), StoredEvent.objects.count(), Saga.objects.count()) == (0, 0, 0)


def in_threads(batches: list[list[PlaceOrder]]) -> list[list[Any]]:
    start = Barrier(len(batches))

    def place(batch: list[PlaceOrder]) -> list[Any]:
        try:
            start.wait(timeout=10)
            return commands.place_orders(batch, now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(batches)) as pool:
        return list(pool.map(place, batches))


@pytest.mark.django_db(transaction=True)
def test_f04_twins_at_the_same_moment_make_one_order() -> None:
    shop = a_shop()
    sent = an_order(shop_id=shop.pk, external_reference="twin")

    answers = [answer for (answer,) in in_threads([[sent]] * 8)]

    assert len({a.order_id for a in answers}) == 1
    assert sorted(a.existing for a in answers) == [False] + [True] * 7
    assert (Order.objects.count(), OrderLine.objects.count()) == (1, 2)
    assert (Saga.objects.count(), StoredEvent.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_batches_with_the_same_orders_in_opposite_order_do_not_deadlock() -> None:
    shop = a_shop()
    batch = [an_order(shop_id=shop.pk, external_reference=f"R{n}") for n in range(60)]
    renamed = [dataclasses.replace(order, name="Someone Else") for order in reversed(batch)]

    forth, back = in_threads([batch, renamed])

    assert {a.external_reference: a.order_id for a in forth} == {
        a.external_reference: a.order_id for a in back
    }
    assert sum(not a.existing for a in (*forth, *back)) == Order.objects.count() == 60
    assert StoredEvent.objects.filter(type=contract.OrderPlaced.type).count() == 60


def test_an_order_in_parcels_cannot_be_choreographed(shop: Shop) -> None:
    order = an_order(shop_id=shop.pk, ship_in_parcels=True, fulfilment=contract.CHOREOGRAPHY)

    with pytest.raises(InvalidOrder) as refused:
        commands.place_order(order, now=NOW)

    assert refused.value.code == "orders.parcels_need_a_leader"
    assert Order.objects.count() == 0


def test_an_order_in_parcels_holds_no_voucher(shop: Shop) -> None:
    lines = [a_line(), a_line(kind="voucher")]
    order = an_order(shop_id=shop.pk, ship_in_parcels=True, lines=lines)

    with pytest.raises(InvalidOrder) as refused:
        commands.place_order(order, now=NOW)

    assert refused.value.code == "orders.parcels_hold_goods"
    assert Order.objects.count() == 0


def test_the_same_order_in_parcels_and_whole_are_two_orders(shop: Shop) -> None:
    whole = an_order(shop_id=shop.pk)
    commands.place_order(whole, now=NOW)

    [answer] = commands.take_orders([dataclasses.replace(whole, ship_in_parcels=True)], now=NOW)

    assert isinstance(answer, commands.ReferenceTaken)
