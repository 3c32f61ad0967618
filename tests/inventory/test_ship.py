"""From confirmation to the parcel: allocated, shipped and explained, in whatever order the news come."""

from __future__ import annotations

import pytest

from inventory import commands
from inventory.commands import ShippedMoreThanHeld
from inventory.contract import StockAllocated, StockConsumed, StockShort
from inventory.models import Movement, Reservation
from tests.inventory.warehouse import Warehouse, wrong_counters

pytestmark = pytest.mark.django_db
State = Reservation.State


@pytest.fixture
def held(warehouse: Warehouse) -> Warehouse:
    """Ten mugs, of which an order holds four."""
    warehouse.receive(MUG=10)
    warehouse.reserve("order", MUG=4)
    return warehouse


def shipped_movements() -> list[tuple[str, int, int]]:
    found = Movement.objects.filter(kind=Movement.Kind.SHIPMENT).order_by("id")
    return [(m.sku, m.quantity, m.asked) for m in found]


def test_a_confirmed_order_has_its_goods_allocated_for_good(held: Warehouse) -> None:
    held.allocate("order")

    reservation = held.reservation("order")
    assert (reservation.state, reservation.expires_at) == (State.ALLOCATED, None)
    assert held.counters("MUG") == (10, 0, 4)


def test_confirmed_twice_is_allocated_once(held: Warehouse) -> None:
    held.allocate("order", "order")
    held.allocate("order")

    assert held.counters("MUG") == (10, 0, 4)
    assert held.story("order") == ["StockReserved", "StockAllocated"]


def test_a_parcel_takes_its_goods_out_of_the_books(held: Warehouse) -> None:
    held.allocate("order")

    held.ship("order", "parcel", MUG=4)

    assert held.counters("MUG") == (6, 0, 0)
    assert held.reservation("order").state == State.CONSUMED
    assert shipped_movements() == [("MUG", -4, -4)]
    assert Movement.objects.get(kind="shipment").source_id == held.id("parcel")
    event = held.events("order")[-1]
    assert isinstance(event, StockConsumed)
    assert (event.whole, event.shipment_id) == (True, held.id("parcel"))


def test_a_parcel_counts_once_however_often_it_is_told(held: Warehouse) -> None:
    held.allocate("order")

    for _ in range(3):
        held.ship("order", "parcel", MUG=4)

    assert held.counters("MUG") == (6, 0, 0)
    assert shipped_movements() == [("MUG", -4, -4)]


def test_a_parcel_told_before_the_confirmation_ships_what_was_held(held: Warehouse) -> None:
    held.ship("order", "parcel", MUG=4)
    held.allocate("order")

    assert held.counters("MUG") == (6, 0, 0)
    assert held.reservation("order").state == State.CONSUMED
    assert held.story("order") == ["StockReserved", "StockConsumed"]


def test_two_parcels_ship_one_order_and_the_last_one_ends_it(held: Warehouse) -> None:
    held.allocate("order")

    held.ship("order", "first", MUG=1)
    assert (held.reservation("order").state, held.counters("MUG")) == (State.ALLOCATED, (9, 0, 3))
    held.ship("order", "second", MUG=3)

    assert (held.reservation("order").state, held.counters("MUG")) == (State.CONSUMED, (6, 0, 0))
    assert wrong_counters() == []


def test_the_rest_of_a_held_order_is_allocated_after_its_first_parcel(held: Warehouse) -> None:
    held.ship("order", "first", MUG=1)
    held.allocate("order")

    assert held.counters("MUG") == (9, 0, 3)
    assert wrong_counters() == []


def test_a_split_order_ships_from_both_locations(warehouse: Warehouse) -> None:
    warehouse.receive("east", MUG=3)
    warehouse.receive("west", MUG=3)
    warehouse.reserve("order", MUG=5)
    warehouse.allocate("order")

    warehouse.ship("order", "parcel", MUG=5)

    assert [warehouse.counters("MUG", "east"), warehouse.counters("MUG", "west")] == [(0, 0, 0), (1, 0, 0)]
    assert wrong_counters() == []


def test_a_parcel_that_left_although_released_is_taken_from_what_is_free(held: Warehouse) -> None:
    held.release("order")

    held.ship("order", "parcel", MUG=4)

    assert held.counters("MUG") == (6, 0, 0)
    assert held.reservation("order").state == State.CONSUMED
    assert wrong_counters() == []


def test_a_parcel_that_left_with_goods_promised_to_others_shows_what_was_not_there(held: Warehouse) -> None:
    held.release("order")
    held.reserve("rival", MUG=9)

    held.ship("order", "parcel", MUG=4)

    assert held.counters("MUG") == (9, 9, 0)
    assert shipped_movements() == [("MUG", -1, -4)]
    assert wrong_counters() == []


def test_a_parcel_with_more_than_was_reserved_is_an_error_and_changes_nothing(held: Warehouse) -> None:
    with pytest.raises(ShippedMoreThanHeld, match="1 MUG more"):
        held.ship("order", "parcel", MUG=5)

    assert held.counters("MUG") == (10, 4, 0)
    assert shipped_movements() == []


def test_a_parcel_of_an_order_unknown_here_changes_nothing(held: Warehouse) -> None:
    held.ship("somebody else's", "parcel", MUG=1)

    assert held.counters("MUG") == (10, 4, 0)


def test_f39_an_expired_hold_is_taken_anew_when_its_goods_are_still_there(held: Warehouse) -> None:
    commands.expire_holds(now=held.clock.forward(days=8))

    held.allocate("order")

    assert held.counters("MUG") == (10, 0, 4)
    event = held.events("order")[-1]
    assert isinstance(event, StockAllocated)
    assert event.again
    assert wrong_counters() == []


def test_f39_an_expired_hold_whose_goods_are_gone_is_short_and_never_allocated(held: Warehouse) -> None:
    commands.expire_holds(now=held.clock.forward(days=8))
    held.reserve("rival", MUG=8)

    held.allocate("order")

    assert held.reservation("order").state == State.SHORT
    assert held.counters("MUG") == (10, 8, 0)
    event = held.events("order")[-1]
    assert isinstance(event, StockShort)
    assert event.sku == "MUG"


def test_short_orders_get_what_comes_in_oldest_first(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=8)
    for name in ("first", "second", "third"):
        warehouse.reserve(name, MUG=2)
    commands.expire_holds(now=warehouse.clock.forward(days=8))
    warehouse.reserve("rival", MUG=8)
    warehouse.allocate("third", "first", "second")
    warehouse.receive(MUG=5)

    served = commands.fill_shorts(now=warehouse.clock.now)

    states = {name: warehouse.reservation(name).state for name in ("first", "second", "third")}
    assert served == 2
    assert states == {"first": State.ALLOCATED, "second": State.ALLOCATED, "third": State.SHORT}
    assert commands.fill_shorts(now=warehouse.clock.now) == 0
    assert wrong_counters() == []


def test_a_short_order_can_still_be_given_back(held: Warehouse) -> None:
    commands.expire_holds(now=held.clock.forward(days=8))
    held.reserve("rival", MUG=8)
    held.allocate("order")

    held.withdraw("order", "cancel", whole=True)

    assert held.reservation("order").state == State.RELEASED
    assert held.counters("MUG") == (10, 8, 0)
