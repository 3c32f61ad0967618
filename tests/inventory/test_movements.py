"""Movements explain every number: once per key, an answer per item, and nothing promised is written off."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection

from inventory import commands
from inventory.commands import BelowPromised, RestockGoods
from inventory.models import Location, Movement, Stock
from inventory.queries import movements_of, stock_levels
from sagas.ids import uuid7
from sagas.models import StoredEvent
from sagas.verdicts import Done, Refused
from tests.inventory.warehouse import Warehouse, wrong_counters

pytestmark = pytest.mark.django_db
Kind = Movement.Kind


def test_the_first_goods_of_a_shop_make_its_main_location(warehouse: Warehouse) -> None:
    move = warehouse.movement("MUG", 5)

    answers = commands.record_movements([move], now=warehouse.clock.now)

    assert answers == [Done({"quantity": 5, "on_hand": 5})]
    assert [place.code for place in Location.objects.all()] == ["main"]


def test_every_item_of_a_batch_has_its_own_answer(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10)
    warehouse.reserve("order", MUG=8)
    moves = [
        warehouse.movement("LAMP", 3),
        warehouse.movement("MUG", -3, kind=Kind.ADJUSTMENT, reason="broken"),
        warehouse.movement("MUG", -2, kind=Kind.ADJUSTMENT, reason="broken"),
        warehouse.movement("MUG", 1, location="moon"),
        warehouse.movement("MUG", -1),
        warehouse.movement("", 1),
        warehouse.movement("M\x1eUG", 1),
        warehouse.movement("MUG", 1, kind=Kind.SHIPMENT),
        warehouse.movement("MUG", 10**13),
    ]

    answers = commands.record_movements(moves, now=warehouse.clock.now)

    assert answers == [
        Done({"quantity": 3, "on_hand": 3}),
        BelowPromised(detail="2 of MUG are free"),
        Done({"quantity": -2, "on_hand": 8}),
        Refused("inventory.unknown_location", "moon"),
        Refused("inventory.bad_quantity", "-1 is not a possible receipt"),
        Refused("inventory.bad_sku", "a SKU has 1 to 100 printable characters"),
        Refused("inventory.bad_sku", "a SKU has 1 to 100 printable characters"),
        Refused("inventory.bad_kind", "a shipment cannot be asked for"),
        Refused("inventory.bad_quantity", "10000000000000 is not a possible receipt"),
    ]
    assert warehouse.counters("MUG") == (8, 8, 0)
    assert Movement.objects.count() == 3
    assert wrong_counters() == []


def test_a_reason_is_kept_as_one_line_of_text(warehouse: Warehouse) -> None:
    moves = [warehouse.movement("MUG", 1, reason=text) for text in ("", "broken\n in\x1etransit ", "x" * 300)]

    commands.record_movements(moves, now=warehouse.clock.now)

    kept = Movement.objects.order_by("id").values_list("reason", flat=True)
    assert list(kept) == ["", "broken in transit", "x" * 200]


def test_a_key_counts_once_and_is_answered_again(warehouse: Warehouse) -> None:
    move = warehouse.movement("MUG", 5)

    first = commands.record_movements([move, move], now=warehouse.clock.now)
    second = commands.record_movements([move], now=warehouse.clock.now)

    assert first + second == [Done({"quantity": 5, "on_hand": 5})] * 3
    assert Movement.objects.count() == 1


def test_a_key_used_for_something_else_is_refused(warehouse: Warehouse) -> None:
    move = warehouse.movement("MUG", 5)
    commands.record_movements([move], now=warehouse.clock.now)

    (answer,) = commands.record_movements(
        [warehouse.movement("MUG", 6, key=move.key)], now=warehouse.clock.now
    )

    assert answer == Refused("inventory.key_reused", "it belongs to receipt +5 MUG")
    assert warehouse.counters("MUG") == (5, 0, 0)


def test_a_capped_write_off_takes_what_is_free_and_shows_what_was_asked(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10)
    warehouse.reserve("order", MUG=8)
    lost = warehouse.movement("MUG", -5, kind=Kind.ADJUSTMENT, capped=True)

    (answer,) = commands.record_movements([lost], now=warehouse.clock.now)

    movement = Movement.objects.get(kind=Kind.ADJUSTMENT)
    assert answer == Done({"quantity": -2, "on_hand": 8})
    assert (movement.quantity, movement.asked) == (-2, -5)
    assert wrong_counters() == []


def test_a_stocktake_sets_what_is_there_and_keeps_what_is_promised(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10)
    warehouse.reserve("order", MUG=4)
    counted = warehouse.movement("MUG", 7, kind=Kind.COUNT)
    too_few = warehouse.movement("MUG", 3, kind=Kind.COUNT)

    answers = commands.record_movements([counted, too_few, counted], now=warehouse.clock.now)

    assert answers == [
        Done({"quantity": -3, "on_hand": 7}),
        BelowPromised(detail="3 of MUG are free"),
        Done({"quantity": -3, "on_hand": 7}),
    ]
    assert warehouse.counters("MUG") == (7, 4, 0)


def test_a_batch_says_what_moved_in_one_event_per_location(warehouse: Warehouse) -> None:
    commands.ensure_locations([(warehouse.shop_id, "east")], now=warehouse.clock.now)
    moves = [
        warehouse.movement("MUG", 5),
        warehouse.movement("LAMP", 2),
        warehouse.movement("MUG", 1, location="east"),
    ]

    commands.record_movements(moves, now=warehouse.clock.now)

    events = StoredEvent.objects.filter(type="inventory.StockMoved").order_by("version")
    assert [[item["sku"] for item in event.data["items"]] for event in events] == [["MUG", "LAMP"], ["MUG"]]


def test_nothing_moved_publishes_nothing(warehouse: Warehouse) -> None:
    commands.record_movements([], now=warehouse.clock.now)
    commands.record_movements([warehouse.movement("", 1)], now=warehouse.clock.now)

    assert StoredEvent.objects.count() == 0


def test_returned_goods_are_on_the_shelf_again_once(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=1)
    request = RestockGoods(
        uuid7(), warehouse.shop_id, warehouse.id("order"), {"MUG": 3, "LAMP": 1}, "C536379"
    )

    for _ in range(2):
        assert commands.restock_goods([request, request], now=warehouse.clock.now) == [Done(), Done()]

    assert [warehouse.counters("MUG"), warehouse.counters("LAMP")] == [(4, 0, 0), (1, 0, 0)]
    event = StoredEvent.objects.get(type="inventory.GoodsRestocked")
    assert [(item["sku"], item["quantity"]) for item in event.data["items"]] == [("MUG", 3), ("LAMP", 1)]
    assert wrong_counters() == []


@pytest.mark.parametrize(
    "change", ["UPDATE inventory_movement SET quantity = 1", "DELETE FROM inventory_movement"]
)
def test_the_database_never_changes_a_movement(warehouse: Warehouse, change: str) -> None:
    warehouse.receive(MUG=10)

    with pytest.raises(IntegrityError, match="a movement is never changed"), connection.cursor() as cursor:
        cursor.execute(change)


def test_stock_is_read_page_by_page(warehouse: Warehouse) -> None:
    warehouse.receive(A=1, B=2, C=3)
    warehouse.receive("west", A=4)

    first = stock_levels(warehouse.shop_id, limit=2)
    second = stock_levels(warehouse.shop_id, after=(first[-1].location, first[-1].sku), limit=10)

    assert [(level.location, level.sku, level.available) for level in first + second] == [
        ("main", "A", 1), ("main", "B", 2), ("main", "C", 3), ("west", "A", 4),
    ]  # fmt: skip
    assert [level.on_hand for level in stock_levels(warehouse.shop_id, skus=["A"], location="west")] == [4]
    assert stock_levels(uuid7()) == []


def test_the_history_of_a_sku_is_newest_first(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=1)
    warehouse.receive(MUG=2)

    assert [m.quantity for m in movements_of(warehouse.shop_id, "main", "MUG")] == [2, 1]
    assert movements_of(warehouse.shop_id, "nowhere", "MUG") == []
    assert Stock.objects.get().available == 3
