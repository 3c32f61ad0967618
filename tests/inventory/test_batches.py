"""A batch costs a fixed number of statements, and batches that meet neither oversell nor deadlock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest
from django.db import connection, transaction

from inventory import commands
from inventory.commands import (
    MoveStock,
    OutOfStock,
    ReleaseReservation,
    RestockGoods,
    ShipGoods,
    WithdrawAllocation,
)
from inventory.models import Movement, Reservation
from sagas.ids import uuid7
from sagas.sql import rows
from sagas.verdicts import Answer, Done
from tests.inventory.warehouse import Warehouse, wrong_counters

CountQueries = Callable[[int], Any]
State = Reservation.State
SKUS = [f"SKU{n:03}" for n in range(60)]


@contextmanager
def own_connection() -> Iterator[None]:
    """A thread's connection ends with it."""
    try:
        yield
    finally:
        connection.close()


def in_threads(*works: Callable[[], None]) -> None:
    """Run all at once; the first error of any of them is raised here."""
    errors: list[BaseException] = []
    ready = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        with own_connection():
            try:
                ready.wait(10)
                work()
            except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
                errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]


@pytest.mark.django_db
@pytest.mark.parametrize("size", [1, 250])
def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(
    warehouse: Warehouse, size: int, django_assert_num_queries: CountQueries
) -> None:
    rng = Random(1)
    warehouse.receive(**dict.fromkeys(SKUS, 10_000))
    names = [f"order {n}" for n in range(size)]
    wanted = {name: dict.fromkeys(rng.sample(SKUS, 20), 2) for name in names}
    now = warehouse.clock.now

    with django_assert_num_queries(6):  # lock stock, known keys, counters, reservations, lines, events
        answers = commands.reserve_stock([warehouse.request(n, **wanted[n]) for n in names], now=now)
    assert all(isinstance(answer, Done) for answer in answers)
    with django_assert_num_queries(6):  # lock reservations, lines, lock stock, counters, reservations, events
        warehouse.allocate(*names)
    acts = [WithdrawAllocation(uuid7(), warehouse.id(n), False, {next(iter(wanted[n])): 1}) for n in names]
    with django_assert_num_queries(7):  # and lines
        commands.withdraw_allocations(acts, now=now)
    parcels = [ShipGoods(uuid7(), warehouse.id(n), dict.fromkeys(list(wanted[n])[1:], 2)) for n in names]
    with django_assert_num_queries(8):  # and movements
        commands.consume_stock(parcels, now=now)
    requests = [
        ReleaseReservation(warehouse.id(f"{n}/reserve"), warehouse.id(n), warehouse.shop_id) for n in names
    ]
    with django_assert_num_queries(6):
        commands.release_reservations(requests, now=now)
    moves = [
        MoveStock(uuid7(), warehouse.shop_id, SKUS[n % 60], Movement.Kind.RECEIPT, 1) for n in range(size)
    ]
    with django_assert_num_queries(
        7
    ):  # locations, missing stock, lock, known keys, counters, movements, event
        commands.record_movements(moves, now=now)
    returns = [RestockGoods(uuid7(), warehouse.shop_id, None, wanted[n]) for n in names]
    with django_assert_num_queries(7):
        commands.restock_goods(returns, now=now)
    assert wrong_counters() == []


@pytest.mark.django_db(transaction=True)
def test_f37_a_thousand_orders_for_a_hundred_pieces_sell_exactly_a_hundred(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=100, LAMP=5_000)
    orders = [warehouse.request(f"order {n}", MUG=1, LAMP=2) for n in range(1_000)]
    answers: list[Answer] = []

    def sell(part: int) -> Callable[[], None]:
        def work() -> None:
            for start in range(part, 1_000, 4 * 25):
                with transaction.atomic():
                    answers.extend(
                        commands.reserve_stock(orders[start : start + 100 : 4], now=warehouse.clock.now)
                    )

        return work

    in_threads(*(sell(part) for part in range(4)))

    assert len(answers) == 1_000
    assert sum(isinstance(answer, Done) for answer in answers) == 100
    assert {a for a in answers if not isinstance(a, Done)} == {OutOfStock(detail="MUG")}
    assert warehouse.counters("MUG") == (100, 100, 0)
    assert warehouse.counters("LAMP") == (5_000, 200, 0)
    assert wrong_counters() == []


@pytest.mark.django_db(transaction=True)
def test_f38_batches_that_want_the_same_goods_in_opposite_order_never_deadlock(warehouse: Warehouse) -> None:
    warehouse.receive(**dict.fromkeys(SKUS, 1_000))
    before = deadlocks()

    def work(name: str, skus: list[str]) -> Callable[[], None]:
        def reserve_and_release() -> None:
            for n in range(25):
                order = f"{name} {n}"
                with transaction.atomic():
                    warehouse.reserve(order, **dict.fromkeys(skus, 1))
                with transaction.atomic():
                    warehouse.allocate(order)
                with transaction.atomic():
                    warehouse.withdraw(order, f"{order} act", wanted={skus[n]: 1})
                with transaction.atomic():
                    warehouse.release(order)

        return reserve_and_release

    in_threads(work("up", SKUS), work("down", SKUS[::-1]), work("mixed", Random(2).sample(SKUS, len(SKUS))))

    assert deadlocks() == before
    assert {warehouse.counters(sku) for sku in SKUS} == {(1_000, 0, 0)}
    assert wrong_counters() == []


@pytest.mark.django_db(transaction=True)
def test_f40_expiry_and_confirmation_of_one_hold_have_one_winner(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=20)
    names = [f"order {n}" for n in range(20)]
    for name in names:
        warehouse.reserve(name, MUG=1)
    late = warehouse.clock.forward(days=8)

    def expire() -> None:
        for _ in range(20):
            with transaction.atomic():
                commands.expire_holds(now=late, limit=1)

    def confirm() -> None:
        for name in names[::-1]:
            with transaction.atomic():
                warehouse.allocate(name)

    in_threads(expire, confirm)

    assert {warehouse.reservation(name).state for name in names} == {State.ALLOCATED}
    assert warehouse.counters("MUG") == (20, 0, 20)
    for name in names:
        assert warehouse.story(name) in (
            ["StockReserved", "StockAllocated"],
            ["StockReserved", "StockReleased", "StockAllocated"],
        )
    assert wrong_counters() == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_the_same_reservation_hold_it_once(warehouse: Warehouse) -> None:
    warehouse.receive(MUG=10)
    answers: list[Answer] = []
    request = warehouse.request("order", MUG=4)

    def reserve() -> None:
        with transaction.atomic():
            answers.extend(commands.reserve_stock([request], now=warehouse.clock.now))

    in_threads(*[reserve] * 4)

    assert len(set(map(str, answers))) == 1
    assert warehouse.counters("MUG") == (10, 4, 0)


@pytest.mark.django_db(transaction=True)
def test_goods_nobody_ever_had_can_arrive_by_many_doors_at_once(warehouse: Warehouse) -> None:
    def arrive(skus: list[str]) -> Callable[[], None]:
        def work() -> None:
            for n in range(0, len(skus), 10):
                moves = [MoveStock(uuid7(), warehouse.shop_id, sku, "receipt", 1) for sku in skus[n : n + 10]]
                with transaction.atomic():
                    commands.record_movements(moves, now=warehouse.clock.now)

        return work

    in_threads(arrive(SKUS), arrive(SKUS[::-1]), arrive(Random(3).sample(SKUS, len(SKUS))))

    assert {warehouse.counters(sku) for sku in SKUS} == {(3, 0, 0)}
    assert wrong_counters() == []


def deadlocks() -> int:
    """Deadlocks the database has counted here."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    return int(rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")[0][0])
