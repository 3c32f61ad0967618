"""F08 through whole orders: the carrier does not find the address, and a person corrects it, in time or not."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection

from inventory.commands import extend_holds
from inventory.models import Reservation
from orders import commands
from orders.commands import AddressFixed, AddressInUse
from orders.models import Order
from sagas.clock import database_now, travel
from sagas.erasure import erase_people
from sagas.models import Saga, SagaStep, StoredEvent
from sagas.people import read_people
from sagas.verdicts import Refused
from shipping.carriers import get_carrier
from shipping.contract import BOOK_SHIPMENT
from shipping.models import Shipment
from tests.orders.factories import an_order
from tests.scenarios.fulfilment import CANCELLED, CONFIRMED, Ends, Fulfilment

WAITS = Ends("pending", "authorized", "held", "address_wrong")
GIVEN_BACK = Ends("rejected", "voided", "released", "label_failed")


@pytest.fixture
def waiting(fulfilment: Fulfilment) -> Fulfilment:
    """One order whose postcode the carrier does not find, once."""
    fulfilment.given(BOOK_SHIPMENT, refuses="shipping.address_unknown", field="postcode", times=1)
    fulfilment.shelve(MUG=10)
    fulfilment.order()
    fulfilment.settle_now()
    return fulfilment


def correct(shop: Fulfilment, /, **parts: str) -> commands.AddressCorrection:
    """Support asks the customer and corrects the address."""
    return commands.correct_address(
        shop.row().pk, parts or {"postcode": "10115"}, actor="ada", reason="the customer said so",
        now=database_now(),
    )  # fmt: skip


def booking(shop: Fulfilment) -> SagaStep:
    return SagaStep.objects.get(saga=shop.saga(), name=BOOK_SHIPMENT)


def told(shop: Fulfilment) -> list[str]:
    found = StoredEvent.objects.filter(stream=shop.row().pk).order_by("version")
    return [kind.partition(".")[2] for kind in found.values_list("type", flat=True)]


def test_f08_an_order_waits_for_its_address_with_its_money_and_goods_held(waiting: Fulfilment) -> None:
    order, saga = waiting.row(), waiting.saga()

    assert waiting.ends() == WAITS
    assert (order.on_hold, order.hold_reason, order.hold_owner) == (
        True, "shipping.address_to_correct", "support",
    )  # fmt: skip
    assert (saga.state, saga.hold, saga.hold_reason) == ("running", "waiting", "shipping.address_to_correct")
    assert booking(waiting).detail == "postcode"
    assert waiting.stock() == (10, 1, 0)
    assert waiting.effects() == {"holds": 1}


def test_f08_what_is_told_of_a_wrong_address_is_not_the_address(waiting: Fulfilment) -> None:
    correct(waiting, street="Wilhelminenhofstrasse 75")
    waiting.settle()

    (refused,) = StoredEvent.objects.filter(type="shipping.ShipmentAddressRefused")
    assert (refused.data["code"], refused.data["field"]) == ("shipping.address_unknown", "postcode")
    kept = repr(list(StoredEvent.objects.values())) + repr(list(Saga.objects.values()))
    kept += repr(list(SagaStep.objects.values())) + repr(list(Shipment.objects.values()))
    assert "Wilhelminenhof" not in kept


def test_f08_a_corrected_address_goes_on_from_the_same_step_with_a_new_key(waiting: Fulfilment) -> None:
    before = booking(waiting)

    answer = correct(waiting)

    assert answer.asked_again
    assert not waiting.row().on_hold
    waiting.settle()
    after = booking(waiting)
    assert waiting.ends() == CONFIRMED
    assert after.pk == before.pk
    assert after.key != before.key
    assert waiting.effects() == {"holds": 1, "captures": 1, "labels": 1}
    assert told(waiting).count("AddressCorrected") == 1
    (corrected,) = StoredEvent.objects.filter(type="orders.AddressCorrected")
    assert (corrected.metadata["actor"], corrected.metadata["reason"]) == ("ada", "the customer said so")


def test_f08_the_carrier_is_told_the_corrected_address(waiting: Fulfilment) -> None:
    correct(waiting, postcode="10115", street="Invalidenstrasse 43")
    waiting.settle()

    label = get_carrier().label(Shipment.objects.get().carrier_id)
    assert b"10115" in label.content  # type: ignore[union-attr]
    assert b"Invalidenstrasse 43" in label.content  # type: ignore[union-attr]


def test_f08_an_address_that_is_corrected_wrongly_waits_again_and_no_longer_than_was_promised(
    waiting: Fulfilment,
) -> None:
    until = Shipment.objects.get().correct_until
    travel(timedelta(days=1).total_seconds())

    correct(waiting, postcode="00000")
    waiting.settle_now()

    assert waiting.ends() == WAITS
    assert waiting.row().on_hold
    assert Shipment.objects.get().correct_until == until
    correct(waiting, postcode="10115")
    waiting.settle()
    assert waiting.ends() == CONFIRMED
    assert len(set(Shipment.objects.get().keys)) == 3
    assert waiting.effects()["labels"] == 1


def test_f08_an_address_nobody_corrects_ends_as_one_that_is_not_served(waiting: Fulfilment) -> None:
    travel((timedelta(days=3) - timedelta(minutes=30)).total_seconds())
    waiting.settle_now()
    assert (
        waiting.ends() == WAITS
    )  # the saga's own deadline, of one day, does not come before what was promised

    travel((timedelta(days=3) + timedelta(minutes=1)).total_seconds())
    waiting.settle()

    assert waiting.ends() == GIVEN_BACK
    assert (waiting.row().end_code, waiting.row().on_hold) == ("shipping.address_unknown", False)
    assert waiting.stock() == (10, 0, 0)
    assert waiting.effects() == {"holds": 1, "voids": 1}
    with pytest.raises(AddressFixed):
        correct(waiting)


def test_f08_a_correction_at_the_last_minute_leaves_the_saga_its_own_time(waiting: Fulfilment) -> None:
    travel((timedelta(days=3) - timedelta(minutes=1)).total_seconds())
    correct(waiting)
    travel((timedelta(days=3) + timedelta(hours=2)).total_seconds())

    waiting.settle()

    assert waiting.ends() == CONFIRMED


def test_f08_goods_are_held_for_as_long_as_the_address_may_be_corrected_and_longer(
    waiting: Fulfilment,
) -> None:
    held = Reservation.objects.get()

    assert held.expires_at is not None
    until = Shipment.objects.get().correct_until
    assert until is not None
    assert held.expires_at == until + timedelta(days=7)
    assert StoredEvent.objects.filter(type="inventory.HoldExtended", stream=held.pk).count() == 1


def test_f08_a_hold_that_lasts_longer_is_not_cut_short(waiting: Fulfilment) -> None:
    held = Reservation.objects.get()
    assert held.expires_at is not None

    extended = extend_holds({held.order_id: held.expires_at - timedelta(days=1)}, now=database_now())

    assert (extended, Reservation.objects.get().expires_at) == (0, held.expires_at)


def test_f08_f49_an_order_is_cancelled_while_it_waits_for_its_address(waiting: Fulfilment) -> None:
    waiting.cancel()
    waiting.settle()

    assert waiting.ends() == CANCELLED
    assert waiting.effects() == {"holds": 1, "voids": 1}
    with pytest.raises(AddressFixed):
        correct(waiting)


def test_f08_a_country_that_is_not_served_is_final_and_nobody_is_asked(fulfilment: Fulfilment) -> None:
    fulfilment.given(BOOK_SHIPMENT, refuses="shipping.country_not_served")

    fulfilment.run()

    assert fulfilment.ends() == GIVEN_BACK
    assert "OrderNeedsAttention" not in told(fulfilment)


def test_f08_of_two_corrections_at_once_one_label_goes_to_one_of_the_addresses(waiting: Fulfilment) -> None:
    start, refused = Barrier(2), []

    def correct_at_once(postcode: str) -> None:
        start.wait()
        try:
            correct(waiting, postcode=postcode)
        except Refused as no:
            refused.append(no)
        finally:
            connection.close()

    threads = [Thread(target=correct_at_once, args=[code]) for code in ("10115", "20095")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waiting.settle()

    assert refused == []
    assert waiting.ends() == CONFIRMED
    assert waiting.effects()["labels"] == 1
    person = waiting.row().person_id
    label = get_carrier().label(Shipment.objects.get().carrier_id)
    assert read_people([person])[person].address["postcode"].encode() in label.content  # type: ignore[union-attr]


def test_a_correction_before_the_carrier_was_asked_is_taken(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.order()

    answer = correct(fulfilment)

    assert not answer.asked_again
    fulfilment.settle()
    label = get_carrier().label(Shipment.objects.get().carrier_id)
    assert b"10115" in label.content  # type: ignore[union-attr]
    assert booking(fulfilment).intent_number == 1


def test_a_correction_while_the_carrier_is_being_asked_is_refused_and_changes_nothing(
    fulfilment: Fulfilment,
) -> None:
    fulfilment.given(BOOK_SHIPMENT, meets="do_then_drop")
    fulfilment.shelve(MUG=10)
    fulfilment.order()
    fulfilment.settle_until_unknown(BOOK_SHIPMENT)
    person = fulfilment.row().person_id

    with pytest.raises(AddressInUse):
        correct(fulfilment)

    assert fulfilment.row().person_id == person
    fulfilment.settle()
    assert fulfilment.ends() == CONFIRMED
    assert fulfilment.effects()["labels"] == 1


def test_a_correction_after_the_label_was_bought_is_too_late(fulfilment: Fulfilment) -> None:
    fulfilment.run()

    with pytest.raises(AddressFixed):
        correct(fulfilment)

    assert "AddressCorrected" not in told(fulfilment)


def test_a_correction_redirects_no_other_order_of_the_customer(waiting: Fulfilment) -> None:
    orders = [an_order(shop_id=waiting.shop_id, external_reference=r, charges=[], customer_reference="C-1",
                       fulfilment=waiting.style) for r in ("B-1", "B-2")]  # fmt: skip
    first, second = (commands.place_order(one, now=database_now()).order_id for one in orders)
    before = Order.objects.get(pk=second).person_id

    commands.correct_address(first, {"postcode": "10115"}, actor="ada", reason="called", now=database_now())

    moved, kept = (Order.objects.get(pk=one).person_id for one in (first, second))
    assert moved != kept == before
    people = read_people([moved, kept])
    assert people[moved].address == {**people[kept].address, "postcode": "10115"}
    assert people[moved].reference.startswith("C-1/")


def test_a_person_who_is_to_be_erased_stays_so_after_a_correction(waiting: Fulfilment) -> None:
    person = waiting.row().person_id
    erase_people([person], actor="ada", reason="asked for it", now=database_now())

    correct(waiting)
    waiting.settle()

    assert waiting.ends() == CONFIRMED
    assert waiting.row().person_id == person
