"""What inventory does for sagas, and how it takes news: one call for a batch, repeats are harmless."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from inventory import contract, loops, receivers, steps
from inventory.models import Movement, Reservation
from orders.contract import CreditNoteImported, OpeningStockImported, OrderConfirmed, StockAdjustmentImported
from sagas.events import Event
from sagas.ids import uuid7
from sagas.log import Recorded, Token
from sagas.loops import all_loops
from sagas.steps import StepCall, get_step
from sagas.verdicts import Done, Refused
from shipping.contract import ShipmentHandedOver
from tests.inventory.warehouse import Warehouse, wrong_counters

pytestmark = pytest.mark.django_db
State = Reservation.State


def call(warehouse: Warehouse, order: str, step: str, **more: Any) -> StepCall:
    """A saga's request about an order. The undo gets the key of its step."""
    values: dict[str, Any] = {"input": {}, "subject": None, "key": warehouse.id(f"{order}/reserve")} | more
    return StepCall(
        saga_id=warehouse.id(f"{order}/saga"), step_id=uuid7(), step=step, subject_id=warehouse.id(order),
        shop_id=warehouse.shop_id, reference=order, search_key=order, amount_minor=100, currency="EUR",
        attempt=1, epoch=0, intent_number=1, memo={}, now=warehouse.clock.now, correlation_id="", **values,
    )  # fmt: skip


def line(sku: str, quantity: int, kind: str = "goods") -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, "kind": kind}


def told(handler: Callable[..., None], warehouse: Warehouse, *events: Event) -> None:
    """Tell a receiver a batch of committed events, twice: nothing may depend on hearing it once."""
    for _ in range(2):
        handler(events=recorded(events, warehouse), now=warehouse.clock.now)


def recorded(events: Sequence[Event], warehouse: Warehouse) -> list[Recorded]:
    return [
        Recorded(Token(1, 1, n), uuid7(), 1, event.type, event, {}, warehouse.clock.now)
        for n, event in enumerate(events)
    ]


def handed_over(warehouse: Warehouse, order: str, **lines: int) -> ShipmentHandedOver:
    return ShipmentHandedOver(
        shipment_id=warehouse.id(f"{order}/parcel"),
        order_id=warehouse.id(order),
        shop_id=warehouse.shop_id,
        lines=[{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()],
    )


def test_an_order_reserves_its_goods_lines_and_several_lines_of_one_sku_add_up(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=5, LAMP=9)
    lines = [line("MUG", 2), line("LAMP", 1), line("MUG", 3), line("GIFT", 1, "voucher")]

    (answer,) = steps.reserve_stock(
        [call(warehouse, "order", contract.RESERVE_STOCK, subject={"lines": lines})]
    )

    assert isinstance(answer, Done)
    assert set(answer.result) == set(get_step(contract.RESERVE_STOCK).gives)
    assert (warehouse.counters("MUG"), warehouse.counters("LAMP")) == ((5, 5, 0), (9, 1, 0))


def test_f37_two_lines_of_one_sku_are_never_served_from_the_same_piece(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=4)
    lines = [line("MUG", 2), line("MUG", 3)]

    (answer,) = steps.reserve_stock(
        [call(warehouse, "order", contract.RESERVE_STOCK, subject={"lines": lines})]
    )

    assert answer == Refused("inventory.out_of_stock", "MUG")


def test_the_undo_finds_the_reservation_by_the_key_of_its_step(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=5)
    steps.reserve_stock(
        [call(warehouse, "order", contract.RESERVE_STOCK, subject={"lines": [line("MUG", 2)]})]
    )
    undo = call(
        warehouse, "order", contract.RELEASE_RESERVATION, cause="refused", cause_code="payments.declined"
    )

    answers = [*steps.release_reservation([undo]), *steps.release_reservation([undo])]

    assert answers == [Done(), Done()]
    assert warehouse.counters("MUG") == (5, 0, 0)
    assert warehouse.events("order")[-1].to_data()["reason"] == "payments.declined"


def test_a_cancellation_withdraws_its_lines_by_its_own_key(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=5)
    warehouse.reserve("order", MUG=5)
    given = {
        "order_id": str(warehouse.id("order")),
        "lines": [line("MUG", 1), line("MUG", 1)],
        "whole": False,
    }
    first = call(warehouse, "order", contract.WITHDRAW_ALLOCATION, key=uuid7(), input=given)

    steps.withdraw_allocation([first, first])
    assert warehouse.counters("MUG") == (5, 3, 0)
    steps.withdraw_allocation([replace(first, key=uuid7(), input={**given, "whole": True})])
    assert warehouse.counters("MUG") == (5, 0, 0)


def test_a_return_restocks_its_lines_by_its_own_key(warehouse: Warehouse) -> None:
    given = {"order_id": str(warehouse.id("order")), "lines": [line("MUG", 2), line("LAMP", 1)]}
    restock = call(warehouse, "order", contract.RESTOCK_GOODS, key=uuid7(), input=given)

    assert [*steps.restock_goods([restock]), *steps.restock_goods([restock])] == [Done(), Done()]

    assert (warehouse.counters("MUG"), warehouse.counters("LAMP")) == ((2, 0, 0), (1, 0, 0))


def test_imported_stock_becomes_movements_once_in_a_mixed_batch(warehouse: Warehouse) -> None:
    shop = warehouse.shop_id
    opening = OpeningStockImported(
        shop_id=shop, batch="opening", location="east",
        items=({"sku": "MUG", "quantity": 5}, {"sku": "MUG", "quantity": 2}, {"sku": "NONE", "quantity": 0}),
    )  # fmt: skip
    found = StockAdjustmentImported(
        shop_id=shop,
        reference="536589",
        location="east",
        items=({"sku": "MUG", "quantity": -3, "reason": "damages"},),
    )
    lost = replace(found, reference="536590", items=({"sku": "MUG", "quantity": -9, "reason": "lost"},))

    told(receivers.on_stock_imported, warehouse, opening, found, lost)

    assert warehouse.counters("MUG", "east") == (0, 0, 0)
    assert warehouse.counters("NONE", "east") == (0, 0, 0)
    moved = (
        Movement.objects.filter(sku="MUG").order_by("id").values_list("kind", "quantity", "asked", "reason")
    )
    assert list(moved) == [
        ("receipt", 5, 5, "opening stock"),
        ("receipt", 2, 2, "opening stock"),
        ("adjustment", -3, -3, "damages"),
        ("adjustment", -4, -9, "lost"),
    ]
    assert wrong_counters() == []


def test_only_a_credit_note_with_goods_and_without_an_order_is_restocked(warehouse: Warehouse) -> None:
    note = CreditNoteImported(
        credit_note_id=uuid7(), shop_id=warehouse.shop_id, reference="C1", order_id=None, kind="return",
        currency="GBP", amount_minor=100, lines=({"sku": "MUG", "quantity": 2, "amount_minor": 100},),
    )  # fmt: skip
    matched = replace(note, credit_note_id=uuid7(), order_id=uuid7())
    allowance = replace(note, credit_note_id=uuid7(), kind="allowance")

    told(receivers.on_credit_note_imported, warehouse, note, matched, allowance)

    assert warehouse.counters("MUG") == (2, 0, 0)
    assert Movement.objects.count() == 1


def test_confirmation_allocates_and_hand_over_consumes(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=5)
    for name in ("one", "two"):
        warehouse.reserve(name, MUG=2)
    confirmed = [OrderConfirmed(order_id=warehouse.id(n), shop_id=warehouse.shop_id) for n in ("one", "two")]

    told(receivers.on_order_confirmed, warehouse, *confirmed)
    assert warehouse.counters("MUG") == (5, 0, 4)
    told(receivers.on_shipment_handed_over, warehouse, handed_over(warehouse, "one", MUG=2))

    assert warehouse.counters("MUG") == (3, 0, 2)
    assert [warehouse.reservation(n).state for n in ("one", "two")] == [State.CONSUMED, State.ALLOCATED]


def test_a_hand_over_heard_before_the_confirmation_ends_the_same(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=5)
    warehouse.reserve("order", MUG=2)

    told(receivers.on_shipment_handed_over, warehouse, handed_over(warehouse, "order", MUG=2))
    confirmed = OrderConfirmed(order_id=warehouse.id("order"), shop_id=warehouse.shop_id)
    told(receivers.on_order_confirmed, warehouse, confirmed)

    assert warehouse.counters("MUG") == (3, 0, 0)
    assert warehouse.reservation("order").state == State.CONSUMED


def test_the_loops_expire_what_ran_out_and_fill_what_is_short(warehouse: Warehouse) -> None:
    assert {"inventory.expire_holds", "inventory.fill_shorts"} <= {loop.name for loop in all_loops()}
    warehouse.receive(MUG=2)
    warehouse.reserve("order", MUG=2)
    late = warehouse.clock.forward(days=8)

    assert [loops.expire_holds(now=late), loops.expire_holds(now=late)] == [1, 0]
    warehouse.reserve("rival", MUG=1)
    warehouse.allocate("order")
    assert loops.fill_shorts(now=late) == 0
    warehouse.release("rival")
    assert [loops.fill_shorts(now=late), loops.fill_shorts(now=late)] == [1, 0]
    assert warehouse.counters("MUG") == (2, 0, 2)
