"""A row of the read side is a function of the events: of which were taken in, and of nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from orders import contract as orders
from orders import queries
from orders.queries import OrderFilters
from orders.read_side.fold import fold
from payments import contract as payments
from sagas.clock import database_now
from sagas.events import Event
from sagas.ids import uuid7
from sagas.log import Append, Recorded, append
from sagas.sql import execute, rows
from shipping.commands import deliver_parcels, pick_up
from tests.orders.factories import NOW
from tests.orders.read_side.taking_in import TABLES, contents, events
from tests.sagas.facts import Ignored
from tests.scenarios.house import House


def built(batches: Sequence[Sequence[Recorded]]) -> dict[str, list[Any]]:
    """What these batches make of an empty slot."""
    for table in TABLES:
        execute(f"DELETE FROM {table} WHERE slot = 2")
    for batch in batches:
        fold(batch, slot=2)
    return contents(2)


def cut(found: Sequence[Recorded], size: int) -> list[Sequence[Recorded]]:
    return [found[at : at + size] for at in range(0, len(found), size)]


@pytest.fixture
def story(house: House) -> list[Recorded]:
    """Orders that ended in many ways, and what the log says of them."""
    house.receive(MUG=20, TEA=5)
    for reference in ("SENT", "GONE", "PART"):
        house.order(reference, MUG=2, TEA=1)
    house.order("POOR", MUG=999)
    house.settle()
    pick_up(house.carrier, now=database_now())
    deliver_parcels(house.carrier, now=database_now())
    house.order("LATE", MUG=1)
    house.settle()
    house.cancel("LATE")
    house.settle()
    house.order("SOON", MUG=1)
    house.cancel("SOON")
    house.settle()
    return events()


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_it_does_not_matter_where_batches_end(story: list[Recorded], size: int) -> None:
    live = contents(1)

    assert built(cut(story, size)) == live
    assert len(live["orders_orderview"]) == 6


@pytest.mark.parametrize("seed", range(5))
def test_it_does_not_matter_in_which_order_events_come_nor_how_often(
    story: list[Recorded], seed: int
) -> None:
    chance = random.Random(seed)
    mixed = story + chance.sample(story, len(story) // 2)
    chance.shuffle(mixed)

    assert built(cut(mixed, chance.randint(1, 9))) == contents(1)


def row(order_id: UUID, *, slot: int = 1) -> dict[str, Any]:
    """One row of the view, as a document."""
    found = rows(
        "SELECT to_jsonb(v) FROM orders_orderview v WHERE slot = %s AND order_id = %s", [slot, order_id]
    )
    return dict(json.loads(found[0][0]))


def shown(house: House, reference: str) -> tuple[Any, ...]:
    """Where an order and its parts stand."""
    found = row(house.row(reference).pk)
    return tuple(
        found[name]
        for name in ("state", "payment_state", "stock_state", "shipment_state", "saga_state", "progress")
    )


def test_a_row_says_how_its_order_ended(house: House, story: list[Recorded]) -> None:
    assert [shown(house, reference) for reference in ("SENT", "POOR", "LATE", "SOON")] == [
        ("completed", "captured", "consumed", "delivered", "completed", 6),
        ("rejected", "voided", "refused", "", "compensated", 0),
        ("cancelled", "refunded", "released", "voided", "completed", 0),
        ("cancelled", "", "", "", "compensated", 0),
    ]


def test_a_row_tells_amounts_goods_and_times(house: House, story: list[Recorded]) -> None:
    found = row(house.row("SENT").pk)

    assert (found["total_minor"], found["authorized_minor"], found["captured_minor"]) == (1500, 1500, 1500)
    assert (found["refunded_minor"], found["pieces"], found["skus"]) == (0, 3, ["MUG", "TEA"])
    assert (found["version"], found["payment_version"], found["stock_version"]) == (5, 2, 3)
    assert found["fulfilment"] == "orchestration"
    assert found["tracking"]
    times = ("received_at", "confirmed_at", "handed_over_at", "delivered_at", "ended_at")
    assert [found[name] for name in times] == sorted(found[name] for name in times)
    assert found["placed_on"] == found["placed_at"][:10]
    assert row(house.row("LATE").pk)["refunded_minor"] == 500
    assert "Ada" not in str(found)


def test_the_summary_counts_every_order_once_with_its_money(story: list[Recorded]) -> None:
    cells = {(c["status"], c["currency"]): c for c in contents(1)["orders_ordersummary"]}

    assert {
        key: (c["orders"], c["total_minor"], c["captured_minor"], c["refunded_minor"])
        for key, c in cells.items()
    } == {
        ("completed", "EUR"): (3, 4500, 4500, 0),
        ("rejected", "EUR"): (1, 499500, 0, 0),
        ("cancelled", "EUR"): (2, 1000, 500, 500),
    }


def placed(order_id: UUID, **more: Any) -> orders.OrderPlaced:
    return orders.OrderPlaced(
        order_id=order_id, shop_id=SHOP, external_reference="R", person_id=SHOP, currency="EUR", total_minor=700,
        goods_minor=700, charges_minor=0, country="DE", payment_method="pm", placed_at=NOW,
        lines=({"kind": "goods", "sku": 'A "quoted" \\ SKU', "quantity": 2, "position": 1},), **more,
    )  # fmt: skip


def paid(kind: type[payments.PaymentEvent], order_id: UUID, payment_id: UUID, **more: Any) -> Event:
    return kind(
        payment_id=payment_id, order_id=order_id, shop_id=SHOP, amount_minor=700, currency="EUR", **more
    )


SHOP = UUID(int=7)


def committed(stream: UUID, *facts: Event) -> list[Recorded]:
    """Facts in the log, as versions 1, 2, 3 of one stream."""
    append([Append(stream, n, fact) for n, fact in enumerate(facts, 1)], now=NOW, metadata={})
    return [found for found in events() if found.stream == stream]


def test_a_payment_that_comes_before_its_order_is_kept_and_seen_by_nobody() -> None:
    order_id, payment_id = uuid7(), uuid7()
    (first,) = committed(order_id, placed(order_id))
    (held,) = committed(payment_id, paid(payments.PaymentAuthorized, order_id, payment_id))

    fold([held], slot=1)
    early = row(order_id)
    hidden = queries.list_orders(OrderFilters(), shop_id=SHOP).orders, queries.get_order(order_id, SHOP)
    uncounted = contents(1)["orders_ordersummary"]
    fold([first], slot=1)

    assert (early["version"], early["shop_id"], early["payment_state"]) == (0, None, "authorized")
    assert hidden == ([], None)
    assert uncounted == []
    found = queries.get_order(order_id, SHOP)
    assert found is not None
    assert (found.row.state, found.row.payment_state, found.row.version) == ("draft", "authorized", 1)
    assert row(order_id)["skus"] == ['A "quoted" \\ SKU']


def test_a_gap_is_filled_from_the_log_up_to_the_event_and_no_further() -> None:
    order_id, saga_id = uuid7(), uuid7()
    who = {"order_id": order_id, "shop_id": SHOP}
    first, second, third = committed(
        order_id, placed(order_id), orders.OrderAccepted(**who, saga_id=saga_id), orders.OrderConfirmed(**who)
    )

    fold([second], slot=1)
    after_second = row(order_id)
    fold([first], slot=1)
    repeated = row(order_id)
    fold([third], slot=1)

    assert (after_second["version"], after_second["state"], after_second["total_minor"]) == (
        2,
        "pending",
        700,
    )
    assert repeated == after_second
    assert (row(order_id)["version"], row(order_id)["state"]) == (3, "confirmed")


def test_a_version_that_is_nowhere_stops_the_projection() -> None:
    order_id = uuid7()
    first, second = committed(
        order_id, placed(order_id), orders.OrderAccepted(order_id=order_id, shop_id=SHOP, saga_id=SHOP)
    )

    with pytest.raises(RuntimeError, match="no whole stretch from 0 to 4"):
        fold([first, second, second._replace(version=4)], slot=1)


def test_a_type_that_the_view_does_not_know_fills_its_place_in_the_stream() -> None:
    order_id = uuid7()
    who = {"order_id": order_id, "shop_id": SHOP}
    append(
        [
            Append(order_id, 1, placed(order_id)),
            Append(order_id, 2, Ignored(number=1)),
            Append(order_id, 3, orders.OrderAccepted(**who, saga_id=SHOP)),
        ],
        now=NOW,
        metadata={},
    )

    fold(events(), slot=1)

    assert (row(order_id)["version"], row(order_id)["state"]) == (3, "pending")


@pytest.mark.parametrize("first", ["older", "younger"])
def test_of_two_payments_the_younger_is_shown_whichever_comes_first(first: str) -> None:
    order_id = uuid7()
    older, younger = sorted((uuid7(), uuid7()))
    (begun,) = committed(order_id, placed(order_id))
    taken = committed(
        older,
        paid(payments.PaymentAuthorized, order_id, older),
        paid(payments.PaymentCaptured, order_id, older),
    )
    declined = committed(younger, paid(payments.PaymentDeclined, order_id, younger, code="lost_card"))

    for batch in (taken, declined) if first == "older" else (declined, taken):
        fold(batch, slot=1)
    fold([begun], slot=1)

    found = row(order_id)
    assert (found["payment_id"], found["payment_state"]) == (str(younger), "declined")
    assert (found["captured_minor"], found["payment_version"]) == (0, 1)


def test_a_batch_is_written_into_its_slot_only(story: list[Recorded]) -> None:
    live = contents(1)
    assert contents(2) == {table: [] for table in TABLES}

    built([story])

    assert contents(1) == live


def test_a_batch_costs_the_same_statements_for_one_order_and_for_many(
    django_assert_num_queries: Any,
) -> None:
    ids = [uuid7() for _ in range(60)]
    for order_id in ids:
        committed(order_id, placed(order_id))
    found = events()

    with django_assert_num_queries(4):
        fold(found[:1], slot=1)
    with django_assert_num_queries(4):
        fold(found[1:], slot=1)
