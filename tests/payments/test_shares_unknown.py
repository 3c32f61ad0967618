"""Shares of which nobody knows what came of them, until the provider has told."""

from __future__ import annotations

from payments.models import Capture, Payment
from sagas.verdicts import Done, Unavailable, Unknown, Waiting
from tests.payments.shares import amounts
from tests.payments.till import Till

State = Payment.State
Share = Capture.State


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
