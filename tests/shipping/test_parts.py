"""An order in several parcels: each is booked, let go, given back and stopped by itself."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from inventory.contract import StockAllocated, StockShort
from sagas.ids import uuid7
from sagas.steps import Ask, StepCall, get_step
from sagas.verdicts import Done, Refused, Unknown
from shipping import contract, queries
from shipping.commands import AlreadyCancelled, AlreadyHandedOver, hand_over
from shipping.models import Shipment
from tests.shipping.dock import Dock, again, handler, line

pytestmark = pytest.mark.django_db
State = Shipment.State


def part(
    dock: Dock, name: str, step: str = contract.BOOK_SHIPMENT, /, order: str = "A-1", **more: Any
) -> StepCall:
    """A request about one parcel of an order: a mug in each."""
    whose = {"order_id": str(dock.id(order))}
    given: dict[str, Any] = {"person_id": str(dock.person()), "country": "DE", "location_id": None, **whose}
    if step == contract.WITHDRAW_SHIPMENT:
        given = {**whose, "lines": [], "whole": True}
        more = {"key": uuid7(), **more}
    return dock.call(name, step, **{"subject": {"lines": [line("MUG", 1)]}, "input": given, **more})


def parcel(dock: Dock, name: str) -> Shipment:
    return Shipment.objects.get(part_id=dock.id(name))


def clear(dock: Dock, *names: str) -> list[Any]:
    step = get_step(contract.CLEAR_PARCEL)
    assert step.local is not None
    with transaction.atomic():
        return list(step.local([part(dock, name, contract.CLEAR_PARCEL) for name in names]))


def may_leave(dock: Dock) -> set[str]:
    ids = {dock.id(name): name for name in ("A-1/1", "A-1/2", "A-2")}
    waiting = {one.id for one in queries.to_hand_over(limit=10)}
    return {ids[s.part_id or s.order_id] for s in Shipment.objects.filter(pk__in=waiting)}


def test_f26_an_order_may_have_several_labels_each_of_its_own_parcel(dock: Dock) -> None:
    answers = dock.run(part(dock, "A-1/1"), part(dock, "A-1/2"))

    first, second = parcel(dock, "A-1/1"), parcel(dock, "A-1/2")
    assert answers == [Done({"shipment_id": str(first.pk)}), Done({"shipment_id": str(second.pk)})]
    assert {first.order_id, second.order_id} == {dock.id("A-1")}
    assert (first.state, second.state) == (State.LABEL_BOUGHT, State.LABEL_BOUGHT)
    assert dock.carrier.effects("A-1/1") == dock.carrier.effects("A-1/2") == {"labels": 1}


def test_one_parcel_booked_twice_is_one_label(dock: Dock) -> None:
    call = part(dock, "A-1/1")

    first, second = dock.run(call), dock.run(again(call))

    assert first == second
    assert dock.carrier.effects("A-1/1") == {"labels": 1}


def test_f47_a_parcel_whose_answer_was_lost_is_found_and_its_neighbour_is_not_touched(dock: Dock) -> None:
    dock.run(part(dock, "A-1/1"))
    dock.carrier.script("book", "A-1/2", "do_then_drop")
    call = part(dock, "A-1/2")

    (lost,) = dock.run(call)
    (found,) = dock.run(again(call, settling=True))

    assert isinstance(lost, Unknown)
    assert found == Done({"shipment_id": str(parcel(dock, "A-1/2").pk)})
    assert dock.carrier.effects("A-1/2") == {"labels": 1}
    assert parcel(dock, "A-1/1").state == State.LABEL_BOUGHT


def test_the_order_that_is_confirmed_lets_none_of_its_several_parcels_leave(dock: Dock) -> None:
    dock.run(part(dock, "A-1/1"))
    dock.book("A-2")

    dock.confirm("A-1", "A-2")

    assert may_leave(dock) == {"A-2"}


def test_the_same_when_stock_has_news_in_the_same_batch(dock: Dock) -> None:
    dock.run(part(dock, "A-1/1"))
    dock.book("A-2")
    short = StockShort(reservation_id=uuid7(), order_id=dock.id("A-2"), shop_id=dock.shop_id, sku="MUG")

    dock.confirm("A-1", "A-2")
    dock.tell(short, version=3)

    assert may_leave(dock) == set()
    assert parcel(dock, "A-1/1").ready_at is None


def test_a_parcel_that_is_paid_for_may_leave_and_the_other_may_not(dock: Dock) -> None:
    dock.run(part(dock, "A-1/1"), part(dock, "A-1/2"))

    answers = [*clear(dock, "A-1/1"), *clear(dock, "A-1/1")]

    assert answers == [Done(), Done()]
    assert may_leave(dock) == {"A-1/1"}


def test_missing_goods_stop_every_parcel_of_the_order_until_they_are_there(dock: Dock) -> None:
    dock.run(part(dock, "A-1/1"), part(dock, "A-1/2"))
    clear(dock, "A-1/1", "A-1/2")
    ids = {"reservation_id": uuid7(), "order_id": dock.id("A-1"), "shop_id": dock.shop_id}

    dock.tell(StockShort(**ids, sku="MUG"), version=3)
    stopped = may_leave(dock)
    dock.tell(StockAllocated(**ids, again=True), version=4)

    assert stopped == set()
    assert may_leave(dock) == {"A-1/1", "A-1/2"}


def test_missing_goods_stop_a_parcel_that_is_booked_later_until_they_are_there(dock: Dock) -> None:
    news = {"reservation_id": uuid7(), "order_id": dock.id("A-1"), "shop_id": dock.shop_id}
    dock.tell(StockShort(**news, sku="MUG"), version=3)

    dock.run(part(dock, "A-1/1"))
    clear(dock, "A-1/1")
    stopped = may_leave(dock)
    dock.tell(StockShort(**news, sku="MUG"), version=3)  # told twice
    dock.tell(StockAllocated(**news, again=True), version=4)
    dock.tell(StockShort(**news, sku="MUG"), version=3)  # and late
    dock.run(part(dock, "A-1/2"))
    clear(dock, "A-1/2")

    assert stopped == set()
    assert may_leave(dock) == {"A-1/1", "A-1/2"}


@pytest.mark.django_db(transaction=True)
def test_news_of_missing_goods_and_a_booking_at_once_do_not_miss_each_other(dock: Dock) -> None:
    short = StockShort(reservation_id=uuid7(), order_id=dock.id("A-1"), shop_id=dock.shop_id, sku="MUG")
    call = part(dock, "A-1/1")

    def hear() -> None:
        dock.tell(short, version=3)
        connection.close()

    heard = Thread(target=hear)

    with transaction.atomic():
        handler(call).begin([call])
        heard.start()
        heard.join(timeout=0.5)  # it waits for the booking, which it cannot see yet
        waits = heard.is_alive()
    heard.join(timeout=10)

    assert waits
    assert parcel(dock, "A-1/1").stop_reason == "inventory.stock_short"


def test_f24_a_parcel_that_is_given_back_leaves_its_neighbour_where_it_is(dock: Dock) -> None:
    dock.run(part(dock, "A-1/1"), part(dock, "A-1/2"))

    (answer,) = dock.run(part(dock, "A-1/2", contract.CANCEL_SHIPMENT, cause="refused"))

    assert answer == Done()
    assert (parcel(dock, "A-1/1").state, parcel(dock, "A-1/2").state) == (State.LABEL_BOUGHT, State.VOIDED)
    assert dock.carrier.effects("A-1/1") == {"labels": 1}


def test_a_parcel_cancelled_before_its_booking_refuses_it_and_no_other(dock: Dock) -> None:
    dock.run(part(dock, "A-1/1", contract.CANCEL_SHIPMENT, cause="deadline"))

    late = dock.run(part(dock, "A-1/1"))
    other = dock.run(part(dock, "A-1/2"))

    assert late == [AlreadyCancelled()]
    assert isinstance(other[0], Done)
    assert parcel(dock, "A-1/1").state == State.VOIDED


def test_withdrawing_one_parcel_gives_its_label_back_unless_the_carrier_has_it(dock: Dock) -> None:
    dock.run(part(dock, "A-1/1"), part(dock, "A-1/2"))
    clear(dock, "A-1/1")
    hand_over([parcel(dock, "A-1/1").pk], now=dock.clock.now)

    answers = dock.run(
        part(dock, "A-1/1", contract.WITHDRAW_SHIPMENT), part(dock, "A-1/2", contract.WITHDRAW_SHIPMENT)
    )

    assert [type(answer) for answer in answers] == [AlreadyHandedOver, Done]
    assert (parcel(dock, "A-1/1").state, parcel(dock, "A-1/2").state) == (State.HANDED_OVER, State.VOIDED)


def test_pieces_that_never_had_a_label_have_none_to_give_back(dock: Dock) -> None:
    dock.run(part(dock, "A-1/1"))

    assert dock.run(part(dock, "A-1/2", contract.WITHDRAW_SHIPMENT)) == [Done()]

    assert parcel(dock, "A-1/1").state == State.LABEL_BOUGHT
    assert Shipment.objects.count() == 1


def test_a_refused_parcel_leaves_the_others(dock: Dock) -> None:
    dock.run(part(dock, "A-1/1"))
    dock.carrier.script("book", "A-1/2", "refuse", code="service_not_available")

    (answer,) = dock.run(part(dock, "A-1/2"))

    assert isinstance(answer, Refused)
    assert (parcel(dock, "A-1/1").state, parcel(dock, "A-1/2").state) == (
        State.LABEL_BOUGHT,
        State.LABEL_FAILED,
    )


def test_the_database_refuses_two_live_shipments_of_one_parcel(dock: Dock) -> None:
    dock.run(part(dock, "A-1/1"), part(dock, "A-1/2"))

    with pytest.raises(IntegrityError, match="shipping_shipment_one_live_per_part"):
        Shipment.objects.filter(part_id=dock.id("A-1/2")).update(part_id=dock.id("A-1/1"))


def test_beginning_asks_about_the_part_not_about_the_order(dock: Dock) -> None:
    (ask,) = dock.begin(part(dock, "A-1/1"))

    assert isinstance(ask, Ask)
    assert (ask.payload["parcel"].reference, ask.payload["parcel"].units) == ("A-1/1", 1)
