"""Goods given back: once, in whole or in part, and never what has shipped."""

from __future__ import annotations

import pytest

from inventory import commands
from inventory.contract import StockReleased
from inventory.models import Reservation
from sagas.models import StoredEvent
from sagas.verdicts import Done
from tests.inventory.warehouse import Warehouse, wrong_counters

pytestmark = pytest.mark.django_db
State = Reservation.State


@pytest.fixture
def held(warehouse: Warehouse) -> Warehouse:
    """Ten mugs and ten lamps, of which an order holds four and two."""
    warehouse.receive(MUG=10, LAMP=10)
    warehouse.reserve("order", MUG=4, LAMP=2)
    return warehouse


def test_a_released_reservation_frees_its_goods(held: Warehouse) -> None:
    answer = held.release("order")

    assert answer == Done()
    assert held.counters("MUG") == (10, 0, 0)
    assert held.reservation("order").state == State.RELEASED
    released = held.events("order")[-1]
    assert isinstance(released, StockReleased)
    assert (released.reason, released.whole) == ("declined", True)
    assert {line["sku"]: line["quantity"] for line in released.lines} == {"LAMP": 2, "MUG": 4}


def test_f41_released_twice_frees_them_once(held: Warehouse) -> None:
    held.release("order")
    held.reserve("rival", MUG=10)

    held.release("order")

    assert held.counters("MUG") == (10, 10, 0)
    assert held.story("order") == ["StockReserved", "StockReleased"]


def test_two_releases_in_one_batch_free_them_once(held: Warehouse) -> None:
    request = commands.ReleaseReservation(held.id("order/reserve"), held.id("order"), held.shop_id)

    commands.release_reservations([request, request], now=held.clock.now)

    assert held.counters("MUG") == (10, 0, 0)
    assert held.story("order") == ["StockReserved", "StockReleased"]


def test_a_release_without_a_reservation_is_answered_once_with_nothing(warehouse: Warehouse) -> None:
    answers = [warehouse.release("order"), warehouse.release("order")]

    assert answers == [Done(), Done()]
    assert warehouse.reservation("order").state == State.RELEASED
    (told,) = StoredEvent.objects.all()
    assert (told.type, told.data["lines"], told.data["whole"]) == ("inventory.StockReleased", [], True)


def test_allocated_goods_are_released_too(held: Warehouse) -> None:
    held.allocate("order")

    held.release("order")

    assert held.counters("MUG") == (10, 0, 0)
    assert held.reservation("order").state == State.RELEASED


def test_what_has_shipped_stays_shipped_when_a_release_comes_late(held: Warehouse) -> None:
    held.allocate("order")
    held.ship("order", "parcel", MUG=4, LAMP=2)

    assert held.release("order") == Done()

    assert held.reservation("order").state == State.CONSUMED
    assert held.counters("MUG") == (6, 0, 0)


def test_part_of_an_allocation_is_withdrawn_and_the_rest_stays(held: Warehouse) -> None:
    held.allocate("order")

    held.withdraw("order", "cancel", {"MUG": 3})

    assert held.counters("MUG") == (10, 0, 1)
    assert held.counters("LAMP") == (10, 0, 2)
    assert held.reservation("order").state == State.ALLOCATED
    event = held.events("order")[-1]
    assert isinstance(event, StockReleased)
    assert (event.whole, [line["quantity"] for line in event.lines]) == (False, [3])
    assert wrong_counters() == []


def test_a_withdrawal_repeated_counts_once_and_a_second_one_counts_too(held: Warehouse) -> None:
    held.allocate("order")

    for act in ("first", "first", "second"):
        held.withdraw("order", act, {"MUG": 1})

    assert held.counters("MUG") == (10, 0, 2)


def test_withdrawing_more_than_is_left_takes_what_is_left(held: Warehouse) -> None:
    held.withdraw("order", "cancel", {"MUG": 99, "GHOST": 1})

    assert held.counters("MUG") == (10, 0, 0)
    assert held.reservation("order").state == State.HELD


def test_withdrawing_everything_piece_by_piece_ends_the_reservation(held: Warehouse) -> None:
    held.withdraw("order", "first", {"MUG": 4})
    held.withdraw("order", "second", {"LAMP": 2})

    assert held.reservation("order").state == State.RELEASED
    assert held.counters("LAMP") == (10, 0, 0)


def test_withdrawing_what_did_not_ship_ends_a_reservation_as_consumed(held: Warehouse) -> None:
    held.allocate("order")
    held.ship("order", "parcel", MUG=4)

    held.withdraw("order", "cancel", {"LAMP": 2})

    assert held.reservation("order").state == State.CONSUMED
    assert held.counters("LAMP") == (10, 0, 0)


def test_a_whole_withdrawal_releases_everything_once(held: Warehouse) -> None:
    held.allocate("order")

    held.withdraw("order", "cancel", whole=True)
    held.withdraw("order", "cancel", whole=True)

    assert held.reservation("order").state == State.RELEASED
    assert held.counters("MUG") == (10, 0, 0)
    assert held.story("order") == ["StockReserved", "StockAllocated", "StockReleased"]


def test_withdrawing_from_an_order_that_holds_nothing_is_done(warehouse: Warehouse) -> None:
    assert warehouse.withdraw("order", "cancel", whole=True) == Done()
    assert StoredEvent.objects.count() == 0


def test_a_hold_that_ran_out_frees_its_goods_and_others_stay(held: Warehouse) -> None:
    held.clock.forward(days=3)
    held.reserve("younger", MUG=1)

    count = commands.expire_holds(now=held.clock.forward(days=5))

    assert count == 1
    assert held.reservation("order").state == State.EXPIRED
    assert held.reservation("younger").state == State.HELD
    assert held.counters("MUG") == (10, 1, 0)
    assert held.story("order") == ["StockReserved", "StockReleased"]
    assert wrong_counters() == []


def test_a_hold_is_kept_until_its_very_end(held: Warehouse) -> None:
    assert commands.expire_holds(now=held.clock.forward(days=6, hours=23)) == 0
    assert commands.expire_holds(now=held.clock.forward(hours=1)) == 1


def test_an_allocated_reservation_never_expires(held: Warehouse) -> None:
    held.allocate("order")

    assert commands.expire_holds(now=held.clock.forward(days=400)) == 0
    assert held.counters("MUG") == (10, 0, 4)


def test_holds_expire_in_bounded_batches(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10)
    for n in range(5):
        warehouse.reserve(f"order {n}", MUG=1)
    late = warehouse.clock.forward(days=8)

    assert [commands.expire_holds(now=late, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert warehouse.counters("MUG") == (10, 0, 0)
