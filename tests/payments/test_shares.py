"""F26, F52: a hold that is taken in shares, one for each parcel, and let go of at the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from payments import contract
from payments.gateways.base import IntentStatus, VoidIntent
from payments.models import Capture, JournalEntry, JournalLine, Payment
from payments.queries import trial_balance
from sagas.ids import uuid7
from sagas.steps import Ask
from sagas.verdicts import Done, Refused, Unavailable, Unknown, Waiting
from tests.payments.till import Till

State = Payment.State
Share = Capture.State


def amounts(till: Till) -> tuple[str, int, int]:
    """Where the payment of A-1 stands, what is ours of it, and what the provider says that it holds."""
    payment = till.payment("A-1")
    intent = till.gateway.retrieve(payment.provider_id)
    return str(payment.state), payment.captured_minor, getattr(intent, "capturable_minor", -1)


def nonzero() -> dict[str, int]:
    return {account: amount for (account, _), amount in trial_balance().items() if amount}


def test_f26_three_shares_take_the_whole_and_each_is_booked_by_itself(till: Till) -> None:
    till.hold("A-1")

    answers = [till.share(f"A-1/p{n}", share) for n, share in enumerate((333, 333, 334))]

    assert answers == [Done({"captured_minor": share}) for share in (333, 333, 334)]
    assert amounts(till) == (State.CAPTURED, 1000, 0)
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 3}
    assert till.entries("A-1") == ["authorization", "capture", "capture", "capture"]
    assert till.story("A-1") == ["PaymentAuthorized", *["ShareCaptured"] * 3, "RestReleased"]
    assert nonzero() == {"provider_clearing": 1000, "sales": -1000}


def test_f26_between_two_shares_the_rest_is_still_held_here_and_there(till: Till) -> None:
    till.hold("A-1")

    till.share("A-1/p1", 300)

    assert amounts(till) == (State.PARTLY_CAPTURED, 300, 700)
    assert nonzero() == {
        "holds": 700, "holds_contra": -700, "provider_clearing": 300, "sales": -300,
    }  # fmt: skip


def test_a_shares_entry_names_the_share_it_was_booked_for(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    entry = JournalEntry.objects.get(kind="capture")

    assert entry.source_id == till.share_row("A-1/p1").id
    lines = JournalLine.objects.filter(entry_id=entry.pk).values_list("account", "amount_minor")
    assert dict(lines) == {
        "holds": -300, "holds_contra": 300, "provider_clearing": 300, "sales": -300,
    }  # fmt: skip


def test_f52_what_nobody_ships_is_let_go_and_what_was_shipped_stays_ours(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    answer = till.release("A-1/p1")

    assert answer == Done()
    assert amounts(till) == (State.CAPTURED, 300, 0)
    assert till.entries("A-1") == ["authorization", "capture", "release"]
    assert till.story("A-1")[-1] == "RestReleased"
    assert nonzero() == {"provider_clearing": 300, "sales": -300}


def test_a_hold_of_which_nothing_was_taken_is_voided(till: Till) -> None:
    till.hold("A-1")

    answer = till.release("A-1/p1")

    assert answer == Done()
    assert amounts(till) == (State.VOIDED, 0, 0)
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentVoided"]


def test_while_something_is_left_to_be_paid_nothing_is_let_go(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    answer = till.release("A-1/p1", nothing_left=False)

    assert answer == Done()
    assert amounts(till) == (State.PARTLY_CAPTURED, 300, 700)


def test_letting_go_again_asks_nobody(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    till.release("A-1/p1")
    again = till.release("A-1/p2")

    assert again == Done()
    assert till.gateway.attempts["release", "A-1"] == 1


def test_a_share_asked_for_again_is_answered_from_its_row(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    again = till.share("A-1/p1", 300)

    assert again == Done({"captured_minor": 300})
    assert till.gateway.attempts["capture", "A-1"] == 1
    assert till.payment("A-1").captured_minor == 300


def test_a_share_of_nothing_asks_nobody_and_leaves_no_row(till: Till) -> None:
    till.hold("A-1")

    answer = till.share("A-1/p1", 0)

    assert answer == Done({"captured_minor": 0})
    assert till.gateway.attempts["capture", "A-1"] == 0
    assert Capture.objects.count() == 0


def test_an_order_that_costs_nothing_ends_without_the_provider(till: Till) -> None:
    till.hold("A-1", amount=0)

    answers = [till.share("A-1/p1", 0), till.release("A-1/p1")]

    assert answers == [Done({"captured_minor": 0}), Done()]
    assert till.payment("A-1").state == State.CAPTURED
    assert till.gateway.attempts["create", "A-1"] == 0


def test_f27_more_than_is_left_is_refused_and_the_provider_is_not_asked(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 700)

    answer = till.share("A-1/p2", 301)

    assert answer == Refused("payments.amount_too_large")
    assert till.gateway.attempts["capture", "A-1"] == 1
    assert amounts(till) == (State.PARTLY_CAPTURED, 700, 300)


def test_while_one_share_is_open_another_comes_later(till: Till) -> None:
    till.hold("A-1")
    first = till.asked(till.share_call("A-1/p1", 300))

    [second] = till.begin([till.share_call("A-1/p2", 400)])
    till.record([(first.call, till.ask(first))])

    assert second == Unavailable("payments.capture_in_flight")
    assert till.share("A-1/p2", 400) == Done({"captured_minor": 400})
    assert amounts(till) == (State.PARTLY_CAPTURED, 700, 300)


def test_of_two_shares_in_one_batch_one_waits_for_the_other(till: Till) -> None:
    till.hold("A-1")

    begun = till.begin([till.share_call("A-1/p1", 300), till.share_call("A-1/p2", 400)])

    assert isinstance(begun[0], Ask)
    assert begun[1] == Unavailable("payments.capture_in_flight")


def test_while_a_share_is_open_the_rest_is_not_let_go(till: Till) -> None:
    till.hold("A-1")
    till.asked(till.share_call("A-1/p1", 300))

    answer = till.release("A-1/p2")

    assert answer == Unavailable("payments.capture_in_flight")
    assert till.payment("A-1").state == State.CAPTURING


def test_once_the_rest_is_being_let_go_no_share_can_be_taken(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    till.asked(till.release_call("A-1/p1"))

    answer = till.share("A-1/p2", 400)

    assert answer == Refused("payments.authorization_used_up")
    assert amounts(till) == (State.RELEASING, 300, 700)


# --- refused ------------------------------------------------------------------------------------------------


def test_f24_a_share_that_is_refused_leaves_the_hold_and_the_other_shares_as_they_are(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    till.gateway.script("capture", "A-1", "decline", code="processing_error", times=1)

    refused = [till.share("A-1/p2", 400), till.share("A-1/p2", 400)]
    other = till.share("A-1/p3", 300)

    assert refused == [Refused("payments.capture_failed", "processing_error")] * 2
    assert other == Done({"captured_minor": 300})
    assert (till.share_row("A-1/p2").state, till.share_row("A-1/p2").code) == (
        Share.FAILED,
        "processing_error",
    )
    assert amounts(till) == (State.PARTLY_CAPTURED, 600, 400)
    assert till.story("A-1") == ["PaymentAuthorized", "ShareCaptured", "ShareRefused", "ShareCaptured"]


def test_a_share_that_could_not_be_sent_is_put_off_and_tried_again(till: Till) -> None:
    till.hold("A-1")
    till.gateway.script("capture", "A-1", "rate_limit", times=1)

    first = till.share("A-1/p1", 300)
    state = till.share_row("A-1/p1").state
    second = till.share("A-1/p1", 300)

    assert (first, state) == (Unavailable("payments.provider_throttled"), Share.PUT_OFF)
    assert second == Done({"captured_minor": 300})
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1}


def test_f23_f52_a_hold_that_ended_by_itself_after_the_first_parcel_keeps_what_was_taken(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    ended = {"status": IntentStatus.CAPTURED, "capturable_minor": 0}
    till.gateway.happen(till.payment("A-1").provider_id, **ended)

    answer = till.share("A-1/p2", 400)

    assert answer == Refused("payments.authorization_expired")
    assert amounts(till) == (State.CAPTURED, 300, 0)
    assert till.story("A-1")[-2:] == ["ShareRefused", "RestReleased"]


def test_f23_a_hold_that_ended_by_itself_before_the_first_parcel_is_expired(till: Till) -> None:
    till.hold("A-1")
    till.gateway.void(VoidIntent(key=uuid7(), intent_id=till.payment("A-1").provider_id))

    answer = till.share("A-1/p1", 300)

    assert answer == Refused("payments.authorization_expired")
    assert amounts(till) == (State.EXPIRED, 0, 0)
    assert till.story("A-1")[-2:] == ["ShareRefused", "PaymentExpired"]


def test_what_was_never_authorized_has_no_shares(till: Till) -> None:
    assert till.share("A-1/p1", 300) == Refused("payments.not_authorized")
    assert Capture.objects.count() == 0


def test_a_payment_with_shares_is_not_voided_as_a_whole(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    answer = till.void("A-1")

    assert answer == Refused("payments.partly_captured")
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1}


# --- one capture only ---------------------------------------------------------------------------------------


def test_f26_with_a_provider_of_one_capture_the_share_is_taken_alone_and_the_hold_ends(till: Till) -> None:
    till.gateway.script("authorize", "A-1", "single_capture")
    till.hold("A-1")

    first = till.share("A-1/p1", 300)
    second = till.share("A-1/p2", 400)

    assert first == Done({"captured_minor": 300})
    assert second == Refused("payments.authorization_used_up")
    assert amounts(till) == (State.CAPTURED, 300, 0)
    assert till.story("A-1") == ["PaymentAuthorized", "ShareCaptured", "RestReleased"]
    assert nonzero() == {"provider_clearing": 300, "sales": -300}


def test_without_multicapture_by_setting_the_first_capture_is_the_only_one(till: Till, settings: Any) -> None:
    till.hold("A-1")
    with_one_capture(settings)

    answer = till.share("A-1/p1", 300)

    assert answer == Done({"captured_minor": 300})
    assert amounts(till) == (State.CAPTURED, 300, 0)
    assert till.gateway.attempts["capture", "A-1"] == 1


# --- unknown ------------------------------------------------------------------------------------------------


def test_a_share_whose_answer_was_lost_is_found_by_looking_and_taken_once(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    call = till.share_call("A-1/p2", 400)
    till.gateway.script("capture", "A-1", "do_then_drop", times=1)

    lost = till.run(call)
    open_then = till.share_row("A-1/p2").state
    settled = till.settle(call)

    assert isinstance(lost, Unknown)
    assert open_then == Share.UNKNOWN
    assert settled == Done({"captured_minor": 400})
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 2}
    assert amounts(till) == (State.PARTLY_CAPTURED, 700, 300)
    assert till.story("A-1")[-2:] == ["PaymentUnknown", "ShareCaptured"]


def test_f60_a_worker_that_dies_with_a_share_in_hand_leaves_it_to_be_found_and_taken_once(till: Till) -> None:
    till.hold("A-1")
    ask = till.asked(till.share_call("A-1/p1", 300))
    till.ask(ask)  # taken there; whoever asked died before it could be written down

    between = (till.payment("A-1").state, till.share_row("A-1/p1").state)
    settled = till.settle(ask.call)

    assert between == (State.CAPTURING, Share.SUBMITTING)
    assert settled == Done({"captured_minor": 300})
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1}
    assert amounts(till) == (State.PARTLY_CAPTURED, 300, 700)


def test_a_share_that_is_proven_not_to_have_been_taken_is_taken_under_a_new_key(till: Till) -> None:
    till.hold("A-1")
    call = till.share_call("A-1/p1", 300)
    ask = till.asked(call)
    till.record([(ask.call, Unknown("payments.timeout"))])

    settled = till.settle(call)

    assert settled == Done({"captured_minor": 300})
    assert till.share_row("A-1/p1").key != call.key
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1}


def test_while_a_share_is_unknown_no_other_is_taken_and_nothing_is_let_go(till: Till) -> None:
    till.hold("A-1")
    till.gateway.script("capture", "A-1", "drop", times=1)
    till.share("A-1/p1", 300)

    answers = [till.share("A-1/p2", 400), till.release("A-1/p2")]

    assert answers == [Unavailable("payments.capture_in_flight")] * 2
    assert till.payment("A-1").captured_minor == 0


def test_a_late_success_of_a_share_is_kept(till: Till) -> None:
    till.hold("A-1")
    ask = till.asked(till.share_call("A-1/p1", 300))
    answer = till.ask(ask)

    till.record([(ask.call, Unknown("payments.timeout"))])
    [late] = till.record([(ask.call, answer)])
    [again] = till.record([(ask.call, answer)])

    assert late == again == Done({"captured_minor": 300})
    assert amounts(till) == (State.PARTLY_CAPTURED, 300, 700)
    assert till.entries("A-1") == ["authorization", "capture"]


def test_another_amount_than_the_share_is_for_a_person_and_nothing_is_booked(till: Till) -> None:
    till.hold("A-1")
    ask = till.asked(till.share_call("A-1/p1", 300))
    till.record([(ask.call, Unknown("payments.timeout"))])
    till.gateway.happen(till.payment("A-1").provider_id, captured_minor=299, capturable_minor=701)

    answer = till.settle(ask.call)

    assert isinstance(answer, Waiting)
    assert (answer.code, answer.detail) == ("payments.mismatch", "299 captured, 0 before a share of 300")
    assert till.share_row("A-1/p1").mismatch == "299 captured, 0 before a share of 300"
    assert till.entries("A-1") == ["authorization"]
    till.gateway.happen(till.payment("A-1").provider_id, captured_minor=300, capturable_minor=700)
    assert till.settle(ask.call) == Done({"captured_minor": 300})


def test_letting_go_whose_answer_was_lost_is_settled_by_asking_again(till: Till) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    till.gateway.script("release", "A-1", "do_then_drop", times=1)
    call = till.release_call("A-1/p1")

    lost = till.run(call)
    between = amounts(till)
    settled = till.settle(call)

    assert isinstance(lost, Unknown)
    assert between == (State.RELEASING, 300, 0)
    assert settled == Done()
    assert amounts(till) == (State.CAPTURED, 300, 0)
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1, "voids": 1}


@pytest.mark.parametrize("step", [contract.CAPTURE_SHARE, contract.RELEASE_REST])
def test_a_refund_takes_back_only_what_shares_took(till: Till, step: str) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    if step == contract.RELEASE_REST:
        till.release("A-1/p1")

    answer = till.refund("A-1/note", refund=300)

    assert isinstance(answer, Done)
    payment = till.payment("A-1")
    assert (payment.captured_minor, payment.refunded_minor) == (300, 300)
    assert till.gateway.effects("A-1")["refunds"] == 1


def with_one_capture(settings: Any) -> None:
    """The installation's contract with its provider allows one capture for each hold."""
    settings.WAYBILL = replace(settings.WAYBILL, payment_multicapture=False)
