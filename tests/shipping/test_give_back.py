"""Cancelling and withdrawing: the carrier decides who was first, and no label is paid for in vain."""

from __future__ import annotations

import pytest

from sagas.steps import Ask
from sagas.verdicts import Done, Refused, Unavailable, Unknown
from shipping import commands
from shipping.carriers.base import MoveParcels
from shipping.commands import AlreadyHandedOver
from shipping.models import Shipment
from tests.shipping.dock import Dock, again

pytestmark = pytest.mark.django_db
State = Shipment.State


def picked_up(dock: Dock, order: str) -> None:
    """The carrier takes a parcel, and we have not heard of it yet."""
    label = dock.shipment(order).carrier_id
    dock.carrier.pick_up(MoveParcels(key=dock.id("pick-up"), shipment_ids=[label]))


def test_a_cancelled_booking_gives_its_label_back(dock: Dock) -> None:
    dock.book("A-1")

    assert dock.cancel("A-1") == [Done()]

    assert dock.state("A-1") == State.VOIDED
    assert dock.carrier.effects("A-1") == {"labels": 1, "cancellations": 1}
    assert dock.story("A-1") == ["ShipmentBooked", "ShipmentCancelled"]
    assert dock.events("A-1")[-1].to_data()["reason"] == "payments.declined"


def test_cancelled_twice_is_cancelled_once(dock: Dock) -> None:
    dock.book("A-1")

    answers = [*dock.cancel("A-1"), *dock.cancel("A-1", attempt=2), *dock.cancel("A-2"), *dock.cancel("A-2")]
    assert answers == [Done()] * 4

    assert dock.carrier.effects("A-1") == {"labels": 1, "cancellations": 1}
    assert dock.story("A-1") == ["ShipmentBooked", "ShipmentCancelled"]
    assert dock.story("A-2") == ["ShipmentCancelled"]


def test_a_booking_the_carrier_never_heard_of_is_cancelled_without_a_call(dock: Dock) -> None:
    dock.begin(dock.call("A-1"))

    assert dock.cancel("A-1") == [Done()]

    assert dock.state("A-1") == State.VOIDED
    assert dock.carrier.effects("A-1") == {}


def test_f47_the_cancellation_finds_a_label_whose_booking_was_never_answered(dock: Dock) -> None:
    dock.carrier.script("book", "A-1", "do_then_drop")
    dock.book("A-1")

    assert dock.cancel("A-1") == [Done()]

    assert dock.state("A-1") == State.VOIDED
    assert dock.carrier.effects("A-1") == {"labels": 1, "cancellations": 1}


@pytest.mark.parametrize("trouble", ["do_then_drop", "drop", "do_then_5xx"])
def test_a_cancellation_nobody_answered_is_looked_at_before_the_next(dock: Dock, trouble: str) -> None:
    dock.book("A-1")
    dock.carrier.script("cancel_shipment", "A-1", trouble)

    (first,) = dock.cancel("A-1")
    assert isinstance(first, Unknown)
    assert dock.state("A-1") == State.VOID_PENDING
    (second,) = dock.cancel("A-1", attempt=2, settling=True)

    assert second == Done()
    assert dock.state("A-1") == State.VOIDED
    assert dock.carrier.effects("A-1") == {"labels": 1, "cancellations": 1}


def test_a_cancellation_waits_while_the_carrier_is_down(dock: Dock) -> None:
    dock.book("A-1")
    dock.carrier.script("cancel_shipment", "A-1", "unavailable")

    (answer,) = dock.cancel("A-1")

    assert isinstance(answer, Unavailable)
    assert dock.state("A-1") == State.VOID_PENDING


def test_f48_a_parcel_the_carrier_has_taken_is_handed_over_and_cannot_be_cancelled(dock: Dock) -> None:
    dock.book("A-1")
    picked_up(dock, "A-1")

    (answer,) = dock.cancel("A-1")

    assert answer == AlreadyHandedOver(detail="shp_1")
    assert dock.state("A-1") == State.HANDED_OVER
    assert dock.story("A-1") == ["ShipmentBooked", "ShipmentHandedOver"]


def test_f51_a_handed_over_parcel_is_refused_without_asking_the_carrier(dock: Dock) -> None:
    dock.book("A-1")
    commands.hand_over([dock.shipment("A-1").pk], now=dock.clock.now)

    assert dock.cancel("A-1") == [AlreadyHandedOver(detail="shp_1")]
    assert dock.run(dock.withdrawal("A-1", whole=True)) == [AlreadyHandedOver(detail="shp_1")]
    assert dock.run(dock.withdrawal("A-1", MUG=1)) == [AlreadyHandedOver(detail="shp_1")]

    assert dock.carrier.attempts["cancel_shipment", "A-1"] == 0
    assert dock.contents("A-1") == {"LAMP": 1, "MUG": 3}


def test_f51_a_hand_over_in_the_middle_of_a_cancellation_wins_if_the_carrier_was_first(dock: Dock) -> None:
    dock.book("A-1")
    (ask,) = dock.begin(dock.withdrawal("A-1", whole=True))
    assert isinstance(ask, Ask)
    picked_up(dock, "A-1")
    assert commands.hand_over([dock.shipment("A-1").pk], now=dock.clock.now) == [Done()]

    (answer,) = dock.record([(ask.call, dock.ask(ask))])

    assert answer == AlreadyHandedOver(detail="shp_1")
    assert dock.story("A-1") == ["ShipmentBooked", "ShipmentHandedOver"]


def test_f51_a_hand_over_after_the_label_was_voided_loses(dock: Dock) -> None:
    dock.book("A-1")
    dock.cancel("A-1")

    (answer,) = commands.hand_over([dock.shipment("A-1").pk], now=dock.clock.now)

    assert answer == Refused("shipping.cancelled", "voided")
    assert dock.state("A-1") == State.VOIDED


def test_part_of_a_parcel_is_taken_out_and_the_label_stays(dock: Dock) -> None:
    dock.book("A-1")
    call = dock.withdrawal("A-1", MUG=2)

    assert [*dock.run(call), *dock.run(again(call))] == [Done(), Done()]

    assert (dock.state("A-1"), dock.contents("A-1")) == (State.LABEL_BOUGHT, {"LAMP": 1, "MUG": 1})
    assert dock.events("A-1")[-1].to_data()["lines"] == [{"sku": "MUG", "quantity": 2}]
    assert dock.story("A-1") == ["ShipmentBooked", "ShipmentWithdrawn"]
    assert dock.carrier.attempts["cancel_shipment", "A-1"] == 0


def test_a_parcel_emptied_piece_by_piece_gives_its_label_back(dock: Dock) -> None:
    dock.book("A-1")

    dock.run(dock.withdrawal("A-1", MUG=3))
    dock.run(dock.withdrawal("A-1", LAMP=5))

    assert dock.state("A-1") == State.VOIDED
    assert dock.carrier.effects("A-1") == {"labels": 1, "cancellations": 1}


def test_a_whole_withdrawal_gives_the_label_back_once(dock: Dock) -> None:
    dock.book("A-1")
    call = dock.withdrawal("A-1", whole=True)

    assert [*dock.run(call), *dock.run(again(call))] == [Done(), Done()]

    assert dock.carrier.effects("A-1") == {"labels": 1, "cancellations": 1}
    assert dock.story("A-1") == ["ShipmentBooked", "ShipmentCancelled"]


def test_withdrawing_from_an_order_without_a_parcel_is_done(dock: Dock) -> None:
    assert dock.run(dock.withdrawal("A-1", whole=True), dock.withdrawal("A-2", MUG=1)) == [Done(), Done()]
    assert Shipment.objects.count() == 0


def test_a_label_the_carrier_does_not_know_is_left_to_a_person(dock: Dock) -> None:
    dock.book("A-1")
    Shipment.objects.update(carrier_id="shp_of_nobody")

    (answer,) = dock.cancel("A-1")

    assert answer == Refused("shipping.not_found", "not_found")
    assert dock.state("A-1") == State.VOID_PENDING
