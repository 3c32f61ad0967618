"""Erasing people while their orders are open, and at the very moment at which one is placed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from orders.commands import correct_address, place_order, place_orders
from orders.intake import PlaceOrder
from orders.models import Order
from orders.people import uses
from orders.states import FINAL, State
from sagas.erasure import Erased, erase_people, erase_waiting, find_people, foresee
from sagas.ids import uuid7
from sagas.people import Use
from sagas.personal import Erasure, Person
from sagas.sql import rows
from tests.orders.factories import NOW, a_shop, an_order
from tests.waiting import eventually

CUSTOMER = "C-77"
BLOCKED = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture
def real(transactional_db: None) -> Iterator[ThreadPoolExecutor]:
    """Threads with connections and real transactions of their own."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


def order_of(shop: Any, reference: str, **more: Any) -> PlaceOrder:
    return an_order(shop_id=shop.pk, external_reference=reference, customer_reference=CUSTOMER, **more)


def place(order: PlaceOrder) -> Order:
    return Order.objects.get(pk=place_order(order, now=NOW).order_id)


def erase(shop: Any) -> list[Erased]:
    found = find_people(shop_id=shop.pk, reference=CUSTOMER)
    return erase_people(found, actor="olga", reason="asked by letter", now=NOW)


def end(order: Order, state: State = State.COMPLETED) -> None:
    Order.objects.filter(pk=order.pk).update(state=state)


def alone(act: Callable[[], Any]) -> Any:
    """Run in a thread and let its connection go."""
    try:
        return act()
    finally:
        connection.close()


def somebody_is_blocked() -> bool:
    return bool(rows(BLOCKED)[0][0])


# --- who orders still need ----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [s for s in State if s not in FINAL])
def test_an_order_that_has_not_ended_needs_its_person(db: None, state: State) -> None:
    order = place(order_of(a_shop(), "R-1"))
    end(order, state)

    assert uses([order.person_id]) == {order.person_id: Use(1, 1)}


@pytest.mark.parametrize("state", sorted(FINAL))
def test_an_order_that_has_ended_needs_nobody(db: None, state: State) -> None:
    order = place(order_of(a_shop(), "R-1"))
    end(order, state)

    assert uses([order.person_id, uuid7()]) == {order.person_id: Use(1, 0)}


def test_a_return_at_work_needs_the_person_until_it_has_ended(db: None) -> None:
    order = place(order_of(a_shop(), "R-1"))
    end(order)
    Order.objects.filter(pk=order.pk).update(lock_kind="return", lock_saga=uuid7(), lock_since=NOW)

    assert uses([order.person_id]) == {order.person_id: Use(1, 1)}


def test_a_customer_is_erased_when_the_last_open_order_has_ended(db: None) -> None:
    shop = a_shop()
    first, second = place(order_of(shop, "R-1")), place(order_of(shop, "R-2"))
    other = place(order_of(shop, "R-3", address={"street": "Short Road 2"}))
    end(first)
    end(other)

    told = {one.person_id: one.fate for one in erase(shop)}
    early = erase_waiting(now=NOW)
    end(second)

    assert told == {first.person_id: "waiting", other.person_id: "erased"}
    assert (early, erase_waiting(now=NOW)) == (0, 1)
    assert list(Person.objects.values_list("name", flat=True)) == ["", ""]


# --- at the same moment -------------------------------------------------------------------------------------


def test_an_erasure_waits_for_an_order_being_placed_and_then_for_its_end(real: ThreadPoolExecutor) -> None:
    shop = a_shop()
    end(place(order_of(shop, "R-1")))
    with transaction.atomic():
        second = place(order_of(shop, "R-2"))
        erasing: Future[list[Erased]] = real.submit(alone, lambda: erase(shop))
        assert eventually(somebody_is_blocked)
    (told,) = erasing.result(timeout=30)

    person = Person.objects.get()
    assert (told.person_id, told.fate) == (second.person_id, "waiting")
    assert (person.name, person.erased_at, Erasure.objects.count()) == ("Ada Example", None, 1)


def test_an_order_placed_while_its_customer_is_erased_gets_a_new_row(real: ThreadPoolExecutor) -> None:
    shop = a_shop()
    first = place(order_of(shop, "R-1"))
    end(first)
    with transaction.atomic():
        erase(shop)
        placing: Future[Order] = real.submit(alone, lambda: place(order_of(shop, "R-2")))
        assert eventually(somebody_is_blocked)
    second = placing.result(timeout=30)

    assert second.person_id != first.person_id
    assert Person.objects.get(pk=first.person_id).name == ""
    assert Person.objects.get(pk=second.person_id).name == "Ada Example"


def test_an_order_placed_while_an_erasure_begins_to_wait_gets_a_new_row(real: ThreadPoolExecutor) -> None:
    shop = a_shop()
    first = place(order_of(shop, "R-1"))
    with transaction.atomic():
        erase(shop)
        placing: Future[Order] = real.submit(alone, lambda: place(order_of(shop, "R-2")))
        assert eventually(somebody_is_blocked)
    second = placing.result(timeout=30)

    assert second.person_id != first.person_id
    assert list(Erasure.objects.values_list("person_id", flat=True)) == [first.person_id]


def correct(order: Order, street: str = "Short Road 2") -> Order:
    correct_address(order.pk, {"street": street}, actor="ada", reason="called", now=NOW)
    return Order.objects.get(pk=order.pk)


def confirm_erasure(found: list[UUID]) -> list[Erased]:
    """A person has seen who was found, and says yes."""
    return erase_people(found, actor="olga", reason="asked by letter", now=NOW)


def readable() -> int:
    """People whose name can be read and whom nobody is about to erase."""
    return Person.objects.exclude(name="").exclude(reference__startswith="erased/").count()


@pytest.mark.parametrize("customer", [CUSTOMER, ""], ids=["customer", "guest"])
def test_an_address_corrected_after_the_people_were_looked_up_is_erased_with_them(
    db: None, customer: str
) -> None:
    shop = a_shop()
    order = place(replace(order_of(shop, "R-1"), customer_reference=customer))
    other = place(replace(order_of(shop, "R-10"), customer_reference=f"{customer}0" if customer else ""))
    found = [order.person_id]

    moved = correct(order)
    told = {one.person_id: one.fate for one in confirm_erasure(found)}

    assert told == {order.person_id: "erased", moved.person_id: "waiting"}
    assert (
        Person.objects.get(name="Ada Example", erased_at=None, reference__startswith="erased/").pk
        == moved.person_id
    )
    assert readable() == 1
    assert Person.objects.get(pk=other.person_id).name == "Ada Example"


def test_an_erasure_waits_for_an_address_being_corrected_and_takes_the_new_row_too(
    real: ThreadPoolExecutor,
) -> None:
    shop = a_shop()
    order = place(order_of(shop, "R-1"))
    with transaction.atomic():
        moved = correct(order)
        erasing: Future[list[Erased]] = real.submit(alone, lambda: confirm_erasure([order.person_id]))
        assert eventually(somebody_is_blocked)
    told = {one.person_id: one.fate for one in erasing.result(timeout=30)}

    assert told == {order.person_id: "erased", moved.person_id: "waiting"}
    assert readable() == 0
    end(moved)
    assert (erase_waiting(now=NOW), Person.objects.exclude(name="").count()) == (1, 0)


def test_an_address_corrected_while_its_customer_is_erased_stays_in_the_row_that_waits(
    real: ThreadPoolExecutor,
) -> None:
    shop = a_shop()
    order = place(order_of(shop, "R-1"))
    with transaction.atomic():
        confirm_erasure([order.person_id])
        correcting: Future[Order] = real.submit(alone, lambda: correct(order))
        assert eventually(somebody_is_blocked)
    moved = correcting.result(timeout=30)

    assert moved.person_id == order.person_id
    assert (readable(), Person.objects.get().address["street"]) == (0, "Short Road 2")
    end(moved)
    assert (erase_waiting(now=NOW), Person.objects.get().name) == (1, "")


@pytest.mark.parametrize("_", range(3))
def test_however_corrections_and_erasures_meet_nobody_is_left_readable(
    real: ThreadPoolExecutor, _: int
) -> None:
    shop = a_shop()
    orders = [place(order_of(shop, f"R-{n}", address={"street": f"Long Road {n}"})) for n in range(4)]
    people = [order.person_id for order in orders]
    acts: list[Callable[[], Any]] = [partial(confirm_erasure, people), partial(confirm_erasure, people[::-1])]
    acts += [partial(correct, order, f"Long Road {n + 1}") for n, order in enumerate(orders)]
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        barrier.wait(timeout=10)
        return act()

    for future in [real.submit(alone, partial(run, act)) for act in acts]:
        future.result(timeout=30)

    assert readable() == 0
    Order.objects.update(state=State.COMPLETED)
    while erase_waiting(now=NOW):
        pass
    assert Person.objects.exclude(name="").count() == 0


def test_what_will_be_erased_is_foreseen_for_the_whole_customer(db: None) -> None:
    shop = a_shop()
    first = place(order_of(shop, "R-1"))
    second = place(order_of(shop, "R-2", address={"street": "Short Road 2"}))

    seen = {one.person_id for one in foresee([first.person_id])}

    assert seen == {first.person_id, second.person_id}


def test_people_are_locked_in_the_order_in_which_orders_lock_them(real: ThreadPoolExecutor) -> None:
    shop = a_shop()
    batch = [order_of(shop, f"R-{n}", address={"street": f"Long Road {n}"}) for n in range(2)]
    first, last = sorted(batch, key=lambda order: order.person().reference)
    place_orders(batch, now=NOW)
    with transaction.atomic():
        place(replace(first, external_reference="R-3"))
        erasing: Future[list[Erased]] = real.submit(alone, lambda: erase(shop))
        assert eventually(somebody_is_blocked)
        place(replace(last, external_reference="R-4"))

    assert [one.fate for one in erasing.result(timeout=30)] == ["waiting", "waiting"]


@pytest.mark.parametrize("_", range(3))
def test_however_placing_and_erasing_meet_no_open_order_loses_its_person(
    real: ThreadPoolExecutor, _: int
) -> None:
    shop = a_shop()
    streets = [{"street": f"Long Road {n}"} for n in range(20)]
    batches = [
        [order_of(shop, f"R-{worker}-{n}", address=street) for n, street in enumerate(way)]
        for worker, way in enumerate((streets, streets[::-1]))
    ]
    place_orders([order_of(shop, f"old-{n}", address=street) for n, street in enumerate(streets)], now=NOW)
    Order.objects.update(state=State.COMPLETED)
    acts: list[Callable[[], Any]] = [
        partial(erase, shop),
        partial(erase_waiting, now=NOW),
        partial(erase, shop),
    ]
    acts += [partial(place_orders, batch, now=NOW) for batch in batches]
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        barrier.wait(timeout=10)
        return act()

    for future in [real.submit(alone, partial(run, act)) for act in acts]:
        future.result(timeout=30)

    open_orders = Order.objects.exclude(state__in=FINAL)
    readable = set(Person.objects.exclude(name="").values_list("pk", flat=True))
    half = Person.objects.filter(reference__startswith="erased/", erased_at=None).values_list("pk", flat=True)
    assert open_orders.count() == 40
    assert set(open_orders.values_list("person_id", flat=True)) <= readable
    assert set(half) == set(Erasure.objects.values_list("person_id", flat=True))
