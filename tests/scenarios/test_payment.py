"""What goes wrong with money on its way: in the end it is ours once, or nobody's."""

from __future__ import annotations

import pytest

from orders.contract import CHOREOGRAPHY, ORCHESTRATION
from payments.models import Refund
from tests.scenarios.fulfilment import CANCELLED, CONFIRMED, REFUNDED, Ends, Fulfilment

AUTHORIZE, VOID = "payments.authorize_payment", "payments.void_authorization"
CAPTURE, REFUND = "payments.capture_payment", "payments.refund_payment"
BOOK = "shipping.book_shipment"

#: How an order stands that was cancelled while nobody can tell whether the money was taken. The engine waits for
#: that; in a choreography the others give back meanwhile.
WHILE_UNKNOWN = {
    ORCHESTRATION: Ends("cancelling", "unknown", "held", "label_bought"),
    CHOREOGRAPHY: Ends("cancelling", "unknown", "released", "voided"),
}
#: It was done and we did not hear; it was not done and we did not hear; it was done and we were told of a failure.
LOST = ["do_then_drop", "drop", "do_then_5xx"]


@pytest.mark.parametrize("code", ["insufficient_funds", "lost_card", "expired_card"])
def test_f11_a_declined_card_rejects_the_order_and_is_never_tried_again(
    fulfilment: Fulfilment, code: str
) -> None:
    fulfilment.given(AUTHORIZE, refuses=code)

    saga = fulfilment.run()

    assert (saga.state, saga.cause_code) == ("compensated", "payments.declined")
    assert fulfilment.story() == ["place_order", "authorize_payment: refused", "cancel_order"]
    assert fulfilment.ends() == Ends("rejected", "declined", None, None)
    assert fulfilment.payment().code == code
    assert fulfilment.sandbox.effects("A-1")["attempts"] == {"create": 1, "authorize": 1}
    assert fulfilment.effects() == {}
    assert fulfilment.stock() == (10, 0, 0)


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("step", [AUTHORIZE, CAPTURE, BOOK])
def test_f13_f14_f47_an_unknown_outcome_on_the_way_is_settled_and_has_one_effect(
    fulfilment: Fulfilment, step: str, lost: str
) -> None:
    fulfilment.given(step, meets=lost)

    saga = fulfilment.run()

    assert saga.state == "completed"
    assert fulfilment.ends() == CONFIRMED
    assert fulfilment.effects() == {"holds": 1, "captures": 1, "labels": 1}
    assert fulfilment.stock() == (10, 0, 1)


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("step", [VOID, "shipping.cancel_shipment"])
def test_f13_f29_an_unknown_outcome_on_the_way_back_is_settled_and_has_one_effect(
    fulfilment: Fulfilment, step: str, lost: str
) -> None:
    fulfilment.given(CAPTURE, refuses="processing_error")
    fulfilment.given(step, meets=lost)

    saga = fulfilment.run()

    assert saga.state == "compensated"
    assert fulfilment.ends() == Ends("rejected", "voided", "released", "voided")
    assert fulfilment.effects() == {"holds": 1, "voids": 1, "labels": 1, "cancellations": 1}
    assert fulfilment.stock() == (10, 0, 0)


@pytest.mark.parametrize("lost", LOST)
def test_f13_f32_an_unknown_refund_is_made_once(fulfilment: Fulfilment, lost: str) -> None:
    fulfilment.run()
    fulfilment.given(REFUND, meets=lost)

    fulfilment.cancel()
    fulfilment.settle()

    assert fulfilment.ends() == REFUNDED
    assert fulfilment.effects() == {"holds": 1, "captures": 1, "refunds": 1, "labels": 1, "cancellations": 1}
    assert fulfilment.payment().refunded_minor == fulfilment.payment().captured_minor == 500


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("step", [AUTHORIZE, CAPTURE])
def test_f13_f49_a_cancel_while_the_outcome_is_unknown_waits_for_it_and_then_gives_back(
    fulfilment: Fulfilment, step: str, lost: str
) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.given(step, meets=lost)
    fulfilment.order("A-1")
    fulfilment.settle_until_unknown(step)

    fulfilment.cancel()
    fulfilment.settle()

    effects = fulfilment.effects()
    captured = step == CAPTURE and lost != "drop"
    assert fulfilment.row().state == "cancelled"
    assert fulfilment.payment().state == ("captured" if captured else "voided")
    assert effects.get("holds", 0) == effects.get("voids", 0) + effects.get("refunds", 0) <= 1
    assert effects.get("labels", 0) == effects.get("cancellations", 0)
    assert fulfilment.stock() == (10, 0, 0)


def test_f13_an_outcome_nobody_can_tell_is_never_assumed_and_waits_for_a_person(
    fulfilment: Fulfilment,
) -> None:
    fulfilment.given(CAPTURE, meets="do_then_drop")
    fulfilment.sandbox.script("retrieve", "A-1", "unavailable", times=1000)

    saga = fulfilment.run()

    assert (saga.state, saga.hold, saga.hold_owner) == ("running", "parked", "operations")
    assert fulfilment.ends() == Ends("pending", "unknown", "held", "label_bought")
    assert (fulfilment.row().needs_attention, fulfilment.row().on_hold) == (True, True)
    assert fulfilment.breaches() == []
    fulfilment.sandbox.control("DELETE", "/sandbox/scripts")
    fulfilment.act("retry")
    fulfilment.settle()
    assert fulfilment.ends() == CONFIRMED
    assert fulfilment.effects() == {"holds": 1, "captures": 1, "labels": 1}
    assert not fulfilment.row().needs_attention


def test_f13_f75_a_cancel_of_an_outcome_nobody_can_tell_waits_for_it(fulfilment: Fulfilment) -> None:
    fulfilment.given(CAPTURE, meets="do_then_drop")
    fulfilment.sandbox.script("retrieve", "A-1", "unavailable", times=1000)
    fulfilment.run()

    fulfilment.cancel()
    fulfilment.settle()
    assert fulfilment.ends() == WHILE_UNKNOWN[fulfilment.style]
    fulfilment.sandbox.control("DELETE", "/sandbox/scripts")
    fulfilment.act("retry")
    fulfilment.settle()

    assert fulfilment.ends() == REFUNDED
    assert fulfilment.effects() == {"holds": 1, "captures": 1, "refunds": 1, "labels": 1, "cancellations": 1}


def test_f16_a_provider_that_is_down_for_a_while_only_costs_time(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=30)
    for step in (AUTHORIZE, CAPTURE, BOOK):
        fulfilment.given(step, meets="unavailable", times=3, retry_after=20)
    references = [f"A-{n}" for n in range(6)]
    for reference in references:
        fulfilment.order(reference)

    fulfilment.settle()

    assert {fulfilment.ends(reference) for reference in references} == {CONFIRMED}
    assert {tuple(fulfilment.effects(r).items()) for r in references} == {
        (("holds", 1), ("captures", 1), ("labels", 1))
    }


def test_f33_of_two_full_refunds_one_goes_through_the_provider_and_the_other_is_owed(
    fulfilment: Fulfilment,
) -> None:
    fulfilment.run()
    fulfilment.hand_over()

    fulfilment.credit(amount_minor=500, MUG=1)
    fulfilment.credit(amount_minor=500, MUG=1)
    fulfilment.settle()

    payment = fulfilment.payment()
    assert (payment.captured_minor, payment.refunded_minor, payment.refunding_minor) == (500, 500, 0)
    assert fulfilment.effects()["refunds"] == 1
    amounts = Refund.objects.order_by("id").values_list("amount_minor", "credit_minor")
    assert list(amounts) == [(500, 0), (0, 500)]
    assert fulfilment.stock() == (10, 0, 0)


def test_f30_a_void_that_finds_the_money_captured_becomes_its_refund(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.order("A-1")
    fulfilment.settle(without=[CAPTURE])
    intent = fulfilment.payment().provider_id
    fulfilment.capture_by_hand(intent)

    fulfilment.cancel()
    fulfilment.settle()

    assert fulfilment.ends() == REFUNDED
    assert fulfilment.effects() == {"holds": 1, "captures": 1, "refunds": 1, "labels": 1, "cancellations": 1}
    assert fulfilment.payment().refunded_minor == 500


def test_f29_a_void_that_fails_for_good_keeps_the_order_from_being_cancelled(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.given(VOID, meets="unavailable", times=100)
    fulfilment.order("A-1")
    fulfilment.settle(without=[CAPTURE])

    fulfilment.cancel()
    fulfilment.settle()

    saga = fulfilment.saga()
    assert (saga.state, saga.hold, saga.hold_owner) == ("compensating", "parked", "operations")
    assert fulfilment.ends() == Ends("cancelling", "voiding", "released", "voided")
    assert fulfilment.row().needs_attention
    assert fulfilment.stock() == (10, 0, 0)


def test_f29_a_void_that_was_out_of_reach_is_made_when_a_person_tries_again(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.given(VOID, meets="unavailable", times=20)
    fulfilment.order("A-1")
    fulfilment.settle(without=[CAPTURE])
    fulfilment.cancel()
    fulfilment.settle()

    fulfilment.act("retry")
    fulfilment.settle()

    assert fulfilment.ends() == CANCELLED
    assert fulfilment.effects() == {"holds": 1, "voids": 1, "labels": 1, "cancellations": 1}
