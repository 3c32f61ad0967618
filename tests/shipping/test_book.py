"""Booking: one paid label per parcel, whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError
from django.test import override_settings

from sagas.models import StoredEvent
from sagas.steps import Ask, NotDone, get_step
from sagas.verdicts import Done, Refused, Unavailable, Unknown, Waiting
from shipping import commands, contract, loops
from shipping.commands import AlreadyCancelled
from shipping.models import Shipment
from tests.shipping.dock import Dock, again, line

pytestmark = pytest.mark.django_db
State = Shipment.State


def test_a_booked_parcel_has_its_goods_and_one_paid_label(dock: Dock) -> None:
    (answer,) = dock.book("A-1")

    parcel = dock.shipment("A-1")
    assert answer == Done({"shipment_id": str(parcel.pk)})
    assert (parcel.state, parcel.country, parcel.reference) == (State.LABEL_BOUGHT, "DE", "A-1")
    assert (parcel.carrier_id, parcel.tracking, parcel.price_minor) == ("shp_1", "FAKE00000001", 395)
    assert dock.contents("A-1") == {"LAMP": 1, "MUG": 3}
    assert dock.carrier.effects("A-1") == {"labels": 1}
    assert dock.events("A-1")[0].to_data() == {
        "shipment_id": str(parcel.pk),
        "order_id": str(dock.id("A-1")),
        "shop_id": str(dock.shop_id),
        "tracking": "FAKE00000001",
        "lines": [{"sku": "LAMP", "quantity": 1}, {"sku": "MUG", "quantity": 3}],
    }


def test_the_carrier_is_told_the_address_and_nobody_else_keeps_it(dock: Dock) -> None:
    (ask,) = dock.begin(dock.call("A-1"))

    assert isinstance(ask, Ask)
    assert ask.payload["ship_to"] == {
        "name": "Ada Example", "street": "Long Road 1", "city": "Berlin", "country": "DE",
    }  # fmt: skip
    dock.record([(ask.call, dock.ask(ask))])
    kept = repr(Shipment.objects.values().get()) + repr(list(StoredEvent.objects.values_list("data")))
    assert "Long Road" not in kept
    assert "Ada" not in kept


def test_an_order_without_goods_books_nothing(dock: Dock) -> None:
    (answer,) = dock.run(dock.call("A-1", subject={"lines": [line("GIFT", 1, "voucher")]}))

    assert answer == Done({"shipment_id": None})
    assert Shipment.objects.count() == 0
    assert dock.carrier.effects("A-1") == {}


def test_booked_twice_is_one_label(dock: Dock) -> None:
    call = dock.call("A-1")

    first, second = dock.run(call), dock.run(again(call))

    assert first == second
    assert dock.carrier.effects("A-1") == {"labels": 1}
    assert dock.story("A-1") == ["ShipmentBooked"]


def test_a_refusal_is_the_carriers_own_word(dock: Dock) -> None:
    dock.carrier.script("book", "A-1", "refuse", code="country_not_served")

    (answer,) = dock.book("A-1")

    assert isinstance(answer, Refused)
    assert answer.code == "shipping.country_not_served"
    assert (dock.state("A-1"), dock.shipment("A-1").code) == (
        State.LABEL_FAILED,
        "shipping.country_not_served",
    )
    assert dock.story("A-1") == ["ShipmentRefused"]
    assert dock.carrier.effects("A-1") == {}


def test_f08_an_unknown_address_waits_for_a_correction_and_nothing_is_bought(dock: Dock) -> None:
    dock.carrier.script("book", "A-1", "refuse", code="address_unknown", field="city", times=1)

    (answer,) = dock.book("A-1")

    until = dock.clock.now + timedelta(days=3)
    parcel = dock.shipment("A-1")
    assert isinstance(answer, Waiting)
    assert (answer.code, answer.until, answer.promised, answer.detail) == (
        "shipping.address_to_correct", until, until, "city",
    )  # fmt: skip
    assert (parcel.state, parcel.code, parcel.correct_until) == (
        State.ADDRESS_WRONG, "shipping.address_unknown", until,
    )  # fmt: skip
    (told,) = dock.events("A-1")
    assert isinstance(told, contract.ShipmentAddressRefused)
    assert (told.code, told.field, told.until) == ("shipping.address_unknown", "city", until)
    assert dock.carrier.effects("A-1") == {}


@override_settings(WAYBILL=replace(settings.WAYBILL, address_correction_seconds=60.0))
def test_f08_how_long_it_waits_is_a_setting(dock: Dock) -> None:
    dock.carrier.script("book", "A-1", "refuse", code="address_unknown")

    (answer,) = dock.book("A-1")

    assert isinstance(answer, Waiting)
    assert answer.until == dock.clock.now + timedelta(minutes=1)


def test_f08_looked_at_again_without_a_correction_nobody_is_asked(dock: Dock) -> None:
    dock.carrier.script("book", "A-1", "refuse", code="address_unknown", times=1)
    call = dock.call("A-1")
    dock.run(call)
    attempts = dict(dock.carrier.attempts)

    dock.clock.forward(days=2)
    (waits,) = dock.run(replace(again(call), now=dock.clock.now))
    dock.clock.forward(days=1)
    (over,) = dock.run(replace(again(call), now=dock.clock.now))

    assert isinstance(waits, Waiting)
    assert (type(over), over.code) == (Refused, "shipping.address_unknown")
    assert dict(dock.carrier.attempts) == attempts
    assert dock.state("A-1") == State.LABEL_FAILED
    assert dock.story("A-1") == ["ShipmentAddressRefused", "ShipmentRefused"]


def test_f08_a_correction_that_is_refused_after_the_time_is_over_is_final(dock: Dock) -> None:
    dock.carrier.script("book", "A-1", "refuse", code="address_unknown")
    dock.book("A-1")
    dock.clock.forward(days=3)

    (answer,) = dock.run(dock.call("A-1", intent_number=2))

    assert isinstance(answer, Refused)
    assert dock.state("A-1") == State.LABEL_FAILED


def test_f08_f73_the_same_refusal_heard_twice_is_told_once(dock: Dock) -> None:
    dock.carrier.script("book", "A-1", "refuse", code="address_unknown")
    call = dock.call("A-1")
    dock.run(call)

    (repeated,) = dock.run(again(call, settling=True))

    assert isinstance(repeated, Waiting)
    assert dock.story("A-1") == ["ShipmentAddressRefused"]
    assert dock.state("A-1") == State.ADDRESS_WRONG


def test_f08_a_wrong_address_is_given_back_like_any_booking(dock: Dock) -> None:
    dock.carrier.script("book", "A-1", "refuse", code="address_unknown")
    dock.book("A-1")

    (answer,) = dock.cancel("A-1")

    assert answer == Done()
    assert dock.state("A-1") == State.VOIDED
    (late,) = dock.run(dock.call("A-1", intent_number=2))
    assert isinstance(late, AlreadyCancelled)
    assert dock.carrier.effects("A-1") == {}


def test_f46_while_the_carrier_is_down_the_label_stays_pending(dock: Dock) -> None:
    dock.carrier.script("book", "A-1", "unavailable")
    call = dock.call("A-1")

    (first,) = dock.run(call)
    assert isinstance(first, Unavailable)
    assert (dock.state("A-1"), StoredEvent.objects.count()) == (State.LABEL_PENDING, 0)
    (second,) = dock.run(again(call))

    assert isinstance(second, Done)
    assert dock.carrier.effects("A-1") == {"labels": 1}


def test_f47_a_label_nobody_heard_of_is_found_and_not_bought_again(dock: Dock) -> None:
    dock.carrier.script("book", "A-1", "do_then_drop")
    call = dock.call("A-1")

    (first,) = dock.run(call)
    assert isinstance(first, Unknown)
    assert dock.state("A-1") == State.UNKNOWN
    (second,) = dock.run(again(call, settling=True))

    assert second == Done({"shipment_id": str(dock.shipment("A-1").pk)})
    assert dock.state("A-1") == State.LABEL_BOUGHT
    assert dock.carrier.effects("A-1") == {"labels": 1}
    assert dock.story("A-1") == ["ShipmentUnknown", "ShipmentBooked"]


def test_f47_a_booking_that_was_lost_is_made_again_with_the_same_key(dock: Dock) -> None:
    dock.carrier.script("book", "A-1", "drop")
    call = dock.call("A-1")

    dock.run(call)
    (settled,) = dock.run(again(call, settling=True))

    assert isinstance(settled, Done)
    assert Shipment.objects.get().keys == [call.key]
    assert dock.carrier.effects("A-1") == {"labels": 1}


def test_f75_a_lost_booking_is_not_made_again_when_everything_is_given_back(dock: Dock) -> None:
    dock.carrier.script("book", "A-1", "drop")
    call = dock.call("A-1")

    dock.run(call)
    (settled,) = dock.run(again(call, settling=True, cause="intent"))

    assert isinstance(settled, NotDone)
    assert dock.state("A-1") == State.LABEL_PENDING
    assert dock.carrier.effects("A-1") == {}


def test_f59_a_booking_that_was_only_late_gives_the_label_that_was_bought_meanwhile(dock: Dock) -> None:
    slow = dock.call("A-1")
    (in_flight,) = dock.begin(slow)
    assert isinstance(in_flight, Ask)
    dock.run(again(slow, settling=True))

    late = dock.ask(in_flight)
    dock.record([(again(slow, late=True), late)])

    assert dock.shipment("A-1").surplus == []
    assert dock.carrier.effects("A-1") == {"labels": 1}


def test_f47_a_booking_under_an_old_key_that_arrives_after_all_leaves_one_label_and_one_voided(
    dock: Dock,
) -> None:
    slow = dock.call("A-1")
    (in_flight,) = dock.begin(slow)
    assert isinstance(in_flight, Ask)
    dock.run(dock.call("A-1", intent_number=2))

    late = dock.ask(in_flight)
    dock.record([(again(slow, late=True), late)])
    assert dock.shipment("A-1").surplus == ["shp_2"]
    assert [loops.void_surplus_labels(now=dock.clock.now) for _ in range(2)] == [1, 0]

    assert dock.shipment("A-1").surplus == []
    assert dock.carrier.effects("A-1") == {"labels": 2, "cancellations": 1}
    labels = dock.carrier.find_by_reference("A-1")
    assert not isinstance(labels, Unavailable)
    assert {label.id: label.status for label in labels} == {"shp_1": "booked", "shp_2": "cancelled"}


def test_two_labels_found_under_our_keys_are_one_to_use_and_one_to_void(dock: Dock) -> None:
    first, second = dock.call("A-1"), dock.call("A-1", intent_number=2)
    for call in (first, second):
        (ask,) = dock.begin(call)
        assert isinstance(ask, Ask)
        dock.ask(ask)

    dock.run(again(second, settling=True))

    assert (dock.shipment("A-1").carrier_id, dock.shipment("A-1").surplus) == ("shp_1", ["shp_2"])


def test_a_label_of_another_shop_with_the_same_reference_is_not_ours(dock: Dock) -> None:
    other = Dock(dock.clock, dock.carrier)
    other.book("A-1")
    dock.carrier.script("book", "A-1", "drop")
    call = dock.call("A-1")

    dock.run(call)
    (settled,) = dock.run(again(call, settling=True))

    assert isinstance(settled, Done)
    assert dock.carrier.effects("A-1") == {"labels": 2}
    assert dock.shipment("A-1").carrier_id != other.shipment("A-1").carrier_id


def test_a_surplus_label_is_kept_in_mind_while_the_carrier_is_down(dock: Dock) -> None:
    test_two_labels_found_under_our_keys_are_one_to_use_and_one_to_void(dock)
    dock.carrier.script("cancel_shipment", "A-1", "unavailable")

    assert [loops.void_surplus_labels(now=dock.clock.forward(seconds=10)) for _ in range(2)] == [0, 1]
    assert dock.carrier.effects("A-1") == {"labels": 2, "cancellations": 1}


def test_a_cancellation_that_came_first_leaves_a_tombstone_that_refuses_the_booking(dock: Dock) -> None:
    assert dock.cancel("A-1") == [Done()]

    assert dock.book("A-1") == [AlreadyCancelled()]
    assert dock.state("A-1") == State.VOIDED
    assert dock.carrier.effects("A-1") == {}


def test_f75_a_label_bought_after_we_gave_up_is_on_record_and_can_be_voided(dock: Dock) -> None:
    slow = dock.call("A-1")
    (in_flight,) = dock.begin(slow)
    assert isinstance(in_flight, Ask)
    dock.cancel("A-1")
    assert dock.state("A-1") == State.VOIDED

    (answer,) = dock.record([(again(slow, late=True), dock.ask(in_flight))])
    assert isinstance(answer, Done)
    assert (dock.state("A-1"), dock.shipment("A-1").carrier_id) == (State.LABEL_BOUGHT, "shp_1")
    assert dock.cancel("A-1", attempt=2) == [Done()]

    assert dock.state("A-1") == State.VOIDED
    assert dock.carrier.effects("A-1") == {"labels": 1, "cancellations": 1}


@pytest.mark.parametrize("size", [1, 100])
def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(
    dock: Dock, size: int, django_assert_num_queries: Callable[[int], Any]
) -> None:
    calls = [dock.call(f"A-{n}") for n in range(size)]
    handler = get_step(contract.BOOK_SHIPMENT).external
    assert handler is not None

    with django_assert_num_queries(4):  # lock, shipments, lines, people
        asks = handler.begin(calls)
    answers = [(a.call, handler.ask(a)) for a in asks if isinstance(a, Ask)]
    with django_assert_num_queries(4):  # lock, lines, shipments, events
        handler.record(answers)
    ids = list(Shipment.objects.values_list("pk", flat=True))
    with django_assert_num_queries(4):
        commands.hand_over(ids, now=dock.clock.now)
    assert Shipment.objects.filter(state=State.HANDED_OVER).count() == size


def test_the_database_refuses_two_live_parcels_of_one_order(dock: Dock) -> None:
    dock.book("A-1", "A-2")

    with pytest.raises(IntegrityError, match="shipping_shipment_one_live_per_order"):
        Shipment.objects.filter(order_id=dock.id("A-2")).update(order_id=dock.id("A-1"))


def test_the_database_refuses_a_bought_label_without_a_name(dock: Dock) -> None:
    dock.book("A-1")

    with pytest.raises(IntegrityError, match="shipping_shipment_bought_has_a_label"):
        Shipment.objects.update(carrier_id="")
