"""Holding goods: everything or nothing, first come first served, once per key."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError

from inventory import commands
from inventory.commands import AlreadyReleased, HoldExpired, OutOfStock
from inventory.models import Location, Reservation, Stock
from inventory.queries import location_ids
from sagas.models import StoredEvent
from sagas.verdicts import Done
from tests.inventory.warehouse import Warehouse, wrong_counters

pytestmark = pytest.mark.django_db
State = Reservation.State


def result(answer: object) -> dict[str, str | None]:
    assert isinstance(answer, Done)
    return answer.result


def test_what_an_order_needs_is_held_for_it_until_the_hold_runs_out(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10, LAMP=3)

    answer = warehouse.reserve("order", MUG=4, LAMP=3)

    held = warehouse.reservation("order")
    main = location_ids([(warehouse.shop_id, "main")])[warehouse.shop_id, "main"]
    assert result(answer) == {"reservation_id": str(held.pk), "location_id": str(main)}
    assert (held.state, held.expires_at) == (State.HELD, warehouse.clock.now + timedelta(days=7))
    assert warehouse.counters("MUG") == (10, 4, 0)
    assert warehouse.counters("LAMP") == (3, 3, 0)
    (event,) = warehouse.events("order")
    assert event.to_data()["lines"] == [
        {"sku": "MUG", "quantity": 4, "location_id": str(main)},
        {"sku": "LAMP", "quantity": 3, "location_id": str(main)},
    ]


def test_f36_one_missing_sku_refuses_the_whole_order_and_holds_nothing(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10, LAMP=2, VASE=0)

    answer = warehouse.reserve("order", MUG=4, LAMP=3, VASE=1)

    assert answer == OutOfStock(detail="LAMP")
    assert warehouse.counters("MUG") == (10, 0, 0)
    assert Reservation.objects.count() == 0
    refused = StoredEvent.objects.get(type="inventory.StockRefused")
    assert refused.data == {
        "order_id": str(warehouse.id("order")),
        "shop_id": str(warehouse.shop_id),
        "code": "inventory.out_of_stock",
        "sku": "LAMP",
    }


def test_a_sku_nobody_ever_had_is_out_of_stock(warehouse: Warehouse) -> None:
    assert warehouse.reserve("order", GHOST=1) == OutOfStock(detail="GHOST")


def test_orders_of_one_batch_are_served_in_the_order_they_came(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10)
    batch = [warehouse.request(name, MUG=n) for name, n in [("a", 6), ("b", 5), ("c", 4), ("d", 1)]]

    answers = commands.reserve_stock(batch, now=warehouse.clock.now)

    assert [type(answer) for answer in answers] == [Done, OutOfStock, Done, OutOfStock]
    assert warehouse.counters("MUG") == (10, 10, 0)
    assert wrong_counters() == []


def test_a_refused_order_takes_nothing_from_those_behind_it(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=5, LAMP=1)
    greedy = warehouse.request("greedy", MUG=5, LAMP=2)
    modest = warehouse.request("modest", MUG=5)

    answers = commands.reserve_stock([greedy, modest], now=warehouse.clock.now)

    assert answers[0] == OutOfStock(detail="LAMP")
    assert isinstance(answers[1], Done)


def test_reserving_twice_under_one_key_holds_once(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10)

    first, second = warehouse.reserve("order", MUG=4), warehouse.reserve("order", MUG=4)

    assert first == second
    assert warehouse.counters("MUG") == (10, 4, 0)
    assert warehouse.story("order") == ["StockReserved"]


def test_the_same_key_twice_in_one_batch_holds_once(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10)
    request = warehouse.request("order", MUG=4)

    first, second = commands.reserve_stock([request, request], now=warehouse.clock.now)

    assert first == second
    assert warehouse.counters("MUG") == (10, 4, 0)


def test_an_order_without_goods_holds_nothing_and_is_done(warehouse: Warehouse) -> None:
    answer = warehouse.reserve("vouchers only")

    assert result(answer) == {"reservation_id": None, "location_id": None}
    assert Reservation.objects.count() == 0


def test_a_release_that_came_first_leaves_a_tombstone_that_refuses_the_reservation(
    warehouse: Warehouse,
) -> None:
    warehouse.receive(MUG=10)
    warehouse.release("order")

    answer = warehouse.reserve("order", MUG=4)

    assert answer == AlreadyReleased()
    assert warehouse.counters("MUG") == (10, 0, 0)
    assert warehouse.reservation("order").state == State.RELEASED


def test_a_hold_that_ran_out_is_not_given_again_under_its_key(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10)
    warehouse.reserve("order", MUG=4)
    commands.expire_holds(now=warehouse.clock.forward(days=8))

    assert warehouse.reserve("order", MUG=4) == HoldExpired()


def test_the_first_location_by_priority_that_has_everything_serves_the_order(warehouse: Warehouse) -> None:
    warehouse.receive("far", MUG=10, LAMP=10)
    warehouse.receive("near", MUG=10, LAMP=1)
    warehouse.receive("middle", MUG=10, LAMP=10)
    set_priorities(warehouse, near=1, middle=2, far=3)

    answer = warehouse.reserve("order", MUG=2, LAMP=2)

    assert result(answer)["location_id"] == str(place(warehouse, "middle"))
    assert warehouse.counters("LAMP", "middle") == (10, 2, 0)
    assert warehouse.counters("LAMP", "near") == (1, 0, 0)


def test_an_order_is_split_only_when_no_single_location_can_serve_it(warehouse: Warehouse) -> None:
    warehouse.receive("near", MUG=3, LAMP=5)
    warehouse.receive("far", MUG=4)
    set_priorities(warehouse, near=1, far=2)

    answer = warehouse.reserve("order", MUG=5, LAMP=5)

    assert result(answer)["location_id"] is None
    assert warehouse.counters("MUG", "near") == (3, 3, 0)
    assert warehouse.counters("MUG", "far") == (4, 2, 0)
    assert warehouse.counters("LAMP", "near") == (5, 5, 0)
    assert wrong_counters() == []


def test_one_shop_never_gets_the_goods_of_another(warehouse: Warehouse) -> None:
    other = Warehouse(warehouse.clock)
    other.receive(MUG=10)

    assert warehouse.reserve("order", MUG=1) == OutOfStock(detail="MUG")


def test_an_order_of_1114_lines_and_a_quantity_of_80995_work(warehouse: Warehouse) -> None:
    wanted = {f"SKU{n}": 1 + n % 7 for n in range(1_114)} | {"23843": 80_995}
    warehouse.receive(**{sku: n + 5 for sku, n in wanted.items()})

    warehouse.reserve("order", **wanted)
    warehouse.allocate("order")
    warehouse.ship("order", "parcel", **wanted)

    assert warehouse.reservation("order").state == State.CONSUMED
    assert warehouse.counters("23843") == (5, 0, 0)
    assert set(Stock.objects.values_list("on_hand", "held", "allocated")) == {(5, 0, 0)}
    assert wrong_counters() == []


def test_the_database_refuses_to_promise_more_than_there_is(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10)

    with pytest.raises(IntegrityError, match="inventory_stock_never_promises_more_than_there_is"):
        Stock.objects.update(held=11)


def test_the_database_refuses_a_negative_counter(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10)

    with pytest.raises(IntegrityError, match="inventory_stock_counters_never_negative"):
        Stock.objects.update(held=-1)


def place(warehouse: Warehouse, code: str) -> UUID:
    return location_ids([(warehouse.shop_id, code)])[warehouse.shop_id, code]


def set_priorities(warehouse: Warehouse, **priorities: int) -> None:
    for code, priority in priorities.items():
        Location.objects.filter(shop_id=warehouse.shop_id, code=code).update(priority=priority)
