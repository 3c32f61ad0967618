"""Shares of which nobody knows what came of them, until the provider has told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from payments.models import Capture, Payment
from sagas.ids import uuid7
from sagas.steps import NotDone
from sagas.verdicts import Done, Unavailable, Unknown
from tests.payments.shares import amounts, with_one_capture
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


def test_a_first_request_that_was_only_slow_takes_the_share_once(till: Till) -> None:
    till.hold("A-1")
    call = till.share_call("A-1/p1", 300)
    slow = till.asked(call)
    till.record([(call, Unknown("payments.no_answer"))])

    settled = till.settle(call)  # it finds nothing, and asks again
    till.ask(slow)  # only now is the first request carried out

    assert settled == Done({"captured_minor": 300})
    assert till.share_row("A-1/p1").key == call.key
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1}
    assert amounts(till) == (State.PARTLY_CAPTURED, 300, 700)


def test_a_share_is_asked_for_again_as_at_first_though_the_contract_was_changed_since(
    till: Till, settings: Any
) -> None:
    till.hold("A-1")
    call = till.share_call("A-1/p1", 300)
    several = settings.WAYBILL
    with_one_capture(settings)
    slow = till.asked(call)
    till.record([(call, Unknown("payments.no_answer"))])
    settings.WAYBILL = several

    settled = till.settle(call)
    till.ask(slow)

    assert settled == Done({"captured_minor": 300})
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1}


def test_while_the_first_request_is_still_at_work_the_share_stays_unknown(till: Till) -> None:
    till.hold("A-1")
    call = till.share_call("A-1/p1", 300)
    till.gateway.script("capture", "A-1", "drop", times=1)
    till.run(call)
    till.gateway.script("capture", "A-1", "rate_limit", times=1)

    answer = till.run(replace(call, settling=True))

    assert answer == Unknown("payments.provider_throttled")
    assert till.share_row("A-1/p1").state == Share.UNKNOWN
    assert till.payment("A-1").state == State.CAPTURING


def test_what_is_put_off_before_anybody_is_asked_again_stays_unknown(till: Till) -> None:
    """As an open circuit does."""
    till.hold("A-1")
    died = till.asked(till.share_call("A-1/p1", 300))  # its worker did, maybe with the call made
    unknown = replace(died.call, settling=True)

    for _ in range(2):
        till.record([(unknown, Unavailable("payments.circuit_open"))])

    assert till.share_row("A-1/p1").state == Share.UNKNOWN
    assert till.share("A-1/p2", 400) == Unavailable("payments.capture_in_flight")
    assert till.settle(died.call) == Done({"captured_minor": 300})


def test_a_new_key_comes_only_after_the_provider_has_failed_with_the_old_one(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.hold("A-1")
    call = till.share_call("A-1/p1", 300)
    with monkeypatch.context() as patch:
        patch.setattr(till.gateway, "capture", lambda _: Unknown("payments.provider_failed", "500"))
        till.run(call)
        proven = till.run(replace(call, settling=True))

    state = till.share_row("A-1/p1").state
    again = till.run(replace(call, key=uuid7(), intent_number=2))

    assert (proven, state) == (NotDone(), Share.PUT_OFF)
    assert again == Done({"captured_minor": 300})
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


def test_another_amount_than_the_share_is_no_answer_and_nothing_is_booked(till: Till) -> None:
    till.hold("A-1")
    ask = till.asked(till.share_call("A-1/p1", 300))
    till.record([(ask.call, Unknown("payments.timeout"))])
    till.gateway.happen(till.payment("A-1").provider_id, captured_minor=299, capturable_minor=701)

    answer = till.settle(ask.call)

    # Not one that waits: a saga that waits may be given up.
    assert answer == Unknown("payments.mismatch", "299 captured, 0 before a share of 300")
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
