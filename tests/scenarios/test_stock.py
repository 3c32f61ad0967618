"""Many orders for few goods: what there is is sold once, the rest gives its money back."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.db import connection

from sagas.engine.work import work
from sagas.models import SagaStep
from sagas.sql import rows
from tests.scenarios.fulfilment import CONFIRMED, Ends, Fulfilment

REJECTED = Ends("rejected", "voided", None, None)
RESERVE = "inventory.reserve_stock"


def test_f36_an_order_without_stock_gives_its_money_back_and_holds_nothing(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=1)

    saga = fulfilment.run("A-1", MUG=2)

    assert (saga.state, saga.cause_code) == ("compensated", "inventory.out_of_stock")
    assert fulfilment.story() == [
        "place_order", "authorize_payment", "reserve_stock: refused", "void_authorization", "cancel_order",
    ]  # fmt: skip
    assert fulfilment.ends() == REJECTED
    assert fulfilment.effects() == {"holds": 1, "voids": 1}
    assert fulfilment.stock() == (1, 0, 0)


def test_f36_an_order_is_refused_whole_when_one_of_its_goods_is_missing(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=10, PLATE=1)

    fulfilment.run("A-1", MUG=1, PLATE=2)

    assert fulfilment.ends() == REJECTED
    assert (fulfilment.stock("MUG"), fulfilment.stock("PLATE")) == ((10, 0, 0), (1, 0, 0))


@pytest.mark.parametrize(("orders", "units"), [(60, 7), pytest.param(1000, 100, marks=pytest.mark.chaos)])
def test_f37_of_many_buyers_exactly_as_many_are_served_as_there_are_units(
    fulfilment: Fulfilment, orders: int, units: int
) -> None:
    fulfilment.shelve(MUG=units)
    references = [f"A-{n}" for n in range(orders)]
    for reference in references:
        fulfilment.order(reference)

    fulfilment.settle()

    ends = Counter(fulfilment.ends(reference) for reference in references)
    assert ends == {CONFIRMED: units, REJECTED: orders - units}
    assert fulfilment.stock() == (units, 0, units)
    effects = fulfilment.all_effects()
    assert (effects["holds"], effects["captures"], effects["voids"]) == (orders, units, orders - units)
    assert effects["labels"] == units


def test_f37_two_lines_of_the_same_goods_add_up(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=3)
    fulfilment.order_lines("A-1", ("MUG", 2), ("MUG", 2))
    fulfilment.order_lines("A-2", ("MUG", 1), ("MUG", 2))

    fulfilment.settle()

    assert fulfilment.ends("A-1") == REJECTED
    assert fulfilment.ends("A-2") == CONFIRMED
    assert fulfilment.stock() == (3, 0, 3)


def test_f38_orders_for_the_same_goods_in_opposite_order_never_deadlock(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=100, PLATE=100)
    for number in range(40):
        goods = (("MUG", 1), ("PLATE", 1)) if number % 2 else (("PLATE", 1), ("MUG", 1))
        fulfilment.order_lines(f"A-{number}", *goods)
    fulfilment.settle(without=[RESERVE])
    ready = threading.Barrier(4)

    def reserve() -> None:
        ready.wait()
        for _ in range(10):
            work(RESERVE, queues=frozenset({"inventory"}), seconds=10)
        connection.close()

    workers = [threading.Thread(target=reserve) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert SagaStep.objects.filter(name=RESERVE, state="done").count() == 40
    assert rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]
    fulfilment.settle()
    assert (fulfilment.stock("MUG"), fulfilment.stock("PLATE")) == ((100, 0, 40), (100, 0, 40))


def test_f41_goods_released_twice_are_back_once(fulfilment: Fulfilment) -> None:
    fulfilment.given("shipping.book_shipment", refuses="country_not_served")
    fulfilment.run()

    fulfilment.repeat("inventory.release_reservation")
    fulfilment.settle()

    assert fulfilment.ends() == Ends("rejected", "voided", "released", "label_failed")
    assert fulfilment.stock() == (10, 0, 0)
