"""What the gateway says when it is asked is written down: what ran out, was taken back, came back, or cannot be."""

from __future__ import annotations

import pytest

from payments.commands.findings import Finding, record_findings
from payments.gateways.base import Intent, IntentStatus, RefundIntent, RefundStatus
from payments.models import Payment, Refund
from payments.queries import trial_balance
from sagas.ids import uuid7
from sagas.verdicts import Done, Refused
from tests.payments.letters import Postman
from tests.payments.till import Till

State = Payment.State


def test_f75_a_hold_that_comes_through_after_its_void_is_kept_so_that_it_can_be_let_go(
    till: Till, postman: Postman
) -> None:
    till.created(till.asked(till.call("payments.authorize_payment", "A-1")))
    till.void("A-1")
    tombstone = till.payment("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.AUTHORIZED, capturable_minor=1000)

    event = postman.tell_of("pi_1")
    postman.read()
    kept = till.payment("A-1")
    till.void("A-1")

    assert (tombstone.state, tombstone.authorized_minor) == (State.VOIDED, 0)
    assert postman.fate(event) == "applied: late_success"
    assert (kept.state, kept.authorized_minor, kept.released_at) == (State.AUTHORIZED, 1000, None)
    assert till.payment("A-1").state == State.VOIDED
    assert till.story("A-1") == ["PaymentVoided", "PaymentAuthorized", "PaymentVoided"]
    assert till.entries("A-1") == ["authorization", "release"]


def test_f75_a_hold_that_we_had_seen_and_let_go_cannot_be_back_and_is_flagged(
    till: Till, postman: Postman
) -> None:
    till.authorize("A-1")
    till.void("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.AUTHORIZED, capturable_minor=1000)

    event = postman.tell_of("pi_1", amount=1)  # what it says is no reason to look, so this one lies
    postman.read()

    assert postman.fate(event) == "applied: mismatch"
    assert till.payment("A-1").state == State.VOIDED
    assert "still held" in till.payment("A-1").mismatch


def test_f23_a_hold_that_ran_out_behind_our_back_is_noted(till: Till, postman: Postman) -> None:
    till.authorize("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.VOIDED, capturable_minor=0)

    event = postman.tell_of("pi_1")
    postman.read()

    assert postman.fate(event) == "applied: expired"
    assert till.payment("A-1").state == State.EXPIRED
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentExpired"]
    assert till.entries("A-1") == ["authorization", "release"]


def test_f25_a_capture_that_was_taken_back_is_owed_by_the_customer(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.gateway.happen(
        "pi_1", status=IntentStatus.DECLINED, captured_minor=0, decline_code="insufficient_funds"
    )

    event, again = postman.tell_of("pi_1"), postman.tell_of("pi_1", description="once more")
    postman.read()

    payment = till.payment("A-1")
    assert (postman.fate(event), postman.fate(again)) == ("applied: reversed", "applied: reversed")
    assert (payment.state, payment.reversed_minor, payment.flag) == (State.CAPTURED, 1000, "reversed")
    assert till.story("A-1")[-1] == "CaptureReversed"
    assert till.entries("A-1") == ["authorization", "capture", "capture_reversed"]
    assert (trial_balance()["receivable", "GBP"], trial_balance()["provider_clearing", "GBP"]) == (1000, 0)


@pytest.mark.parametrize("turned", [False, True])
def test_f33_of_two_refunds_of_one_amount_each_is_known_by_its_own_reference(
    till: Till, postman: Postman, turned: bool
) -> None:
    till.captured("A-1")
    for note in ("A-1/C-1", "A-1/C-2"):
        till.gateway.script("refund", note, "do_then_drop")
        till.refund(note, refund=400)
    refunds = till.gateway.refunds_of("pi_1")
    assert isinstance(refunds, tuple)

    events = [postman.tell_of_refund(refund.id) for refund in (refunds[::-1] if turned else refunds)]
    postman.read()

    assert [postman.fate(event) for event in events] == ["applied: refunded"] * 2
    assert {r.id: till.refund_row(r.reference).provider_id for r in refunds} == {r.id: r.id for r in refunds}
    assert (till.payment("A-1").refunded_minor, till.payment("A-1").mismatch) == (800, "")


def test_a_refund_made_by_hand_while_ours_is_under_way_is_not_taken_for_ours(
    till: Till, postman: Postman
) -> None:
    till.captured("A-1")
    till.gateway.script("refund", "A-1/C-1", "drop")
    till.refund("A-1/C-1", refund=400)
    foreign = till.gateway.refund(
        RefundIntent(key=uuid7(), intent_id="pi_1", amount_minor=400, reference="by hand")
    )

    event = postman.tell_of_refund(foreign.id)  # type: ignore[union-attr]
    postman.read()

    assert postman.fate(event) == "applied: mismatch"
    assert till.refund_row("A-1/C-1").state == Refund.State.UNKNOWN


def test_what_was_found_out_twice_is_written_once(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.DECLINED, captured_minor=0)
    truth = till.gateway.retrieve("pi_1")
    assert isinstance(truth, Intent)
    finding = Finding(saga_id=till.payment("A-1").saga_id, intent=truth)

    words = [record_findings([finding], now=till.clock.now) for _ in range(2)]

    assert words == [["reversed"], ["known"]]
    assert till.story("A-1").count("CaptureReversed") == 1


def test_f25_what_was_taken_back_is_not_given_back_once_more(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.gateway.happen("pi_1", status=IntentStatus.DECLINED, captured_minor=0)
    postman.tell_of("pi_1")
    postman.read()

    answer = till.refund("A-1/C-1", refund=400)

    refund = till.refund_row("A-1/C-1")
    assert answer == Done({"refund_id": str(refund.id), "refunded_minor": 0, "credited_minor": 0})
    assert (refund.state, refund.code) == ("refused", "payments.reversed")
    assert till.payment("A-1").refunding_minor == 0


def test_f31_a_refund_that_comes_back_days_later_is_owed_again(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.refund("A-1/C-1", refund=400)
    refund = till.refund_row("A-1/C-1").provider_id
    till.gateway.happen(refund, status=RefundStatus.FAILED, failure_code="expired_or_canceled_card")

    event = postman.tell_of_refund(refund)
    postman.read()

    payment, row = till.payment("A-1"), till.refund_row("A-1/C-1")
    assert postman.fate(event) == "applied: refund_returned"
    assert (row.state, row.code) == (Refund.State.FAILED, "expired_or_canceled_card")
    assert (payment.refunded_minor, payment.refunding_minor) == (0, 400)
    assert till.story("A-1")[-2:] == ["PaymentRefunded", "RefundReturned"]
    assert till.entries("A-1")[-3:] == ["refund_promised", "refund_paid", "refund_returned"]
    assert trial_balance()["refunds_payable", "GBP"] == -400
    assert trial_balance()["provider_clearing", "GBP"] == 1000


def test_f31_what_came_back_is_not_sent_by_the_same_way_again(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.refund("A-1/C-1", refund=400)
    refund = till.refund_row("A-1/C-1").provider_id
    till.gateway.happen(refund, status=RefundStatus.FAILED, failure_code="closed")
    postman.tell_of_refund(refund)
    postman.read()

    answer = till.refund("A-1/C-1", refund=400)

    assert answer == Refused("payments.refund_failed", "closed")
    assert till.gateway.effects("A-1")["refunds"] == 1


def test_f20_f32_a_refund_that_nobody_settled_is_settled_by_what_the_gateway_says(
    till: Till, postman: Postman
) -> None:
    till.captured("A-1")
    till.gateway.script("refund", "A-1/C-1", "do_then_drop")
    till.refund("A-1/C-1", refund=400)
    [refund] = till.gateway.list_refunds().items  # type: ignore[union-attr]

    event = postman.tell_of_refund(refund.id)
    postman.read()

    assert postman.fate(event) == "applied: refunded"
    assert (till.refund_row("A-1/C-1").state, till.payment("A-1").refunded_minor) == (
        Refund.State.SUCCEEDED,
        400,
    )


def test_a_refund_that_somebody_else_made_is_flagged_not_booked(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    foreign = till.gateway.refund(
        RefundIntent(key=uuid7(), intent_id="pi_1", amount_minor=300, reference="by hand")
    )

    event = postman.tell_of_refund(foreign.id)  # type: ignore[union-attr]
    postman.read()

    payment = till.payment("A-1")
    assert postman.fate(event) == "applied: mismatch"
    assert (payment.refunded_minor, "not by us" in payment.mismatch) == (0, True)
    assert till.story("A-1")[-1] == "PaymentFlagged"


def test_f26_what_the_gateway_tells_of_shares_that_we_took_is_no_news(till: Till, postman: Postman) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)

    event = postman.tell_of("pi_1")
    postman.read()

    assert postman.fate(event) == "ignored: known"
    assert (till.payment("A-1").state, till.payment("A-1").captured_minor) == (State.PARTLY_CAPTURED, 300)


def test_a_hold_that_ended_behind_our_back_after_a_share_keeps_the_share(
    till: Till, postman: Postman
) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    till.gateway.happen("pi_1", status=IntentStatus.CAPTURED, capturable_minor=0)

    event = postman.tell_of("pi_1")
    postman.read()

    assert postman.fate(event) == "applied: rest_released"
    assert (till.payment("A-1").state, till.payment("A-1").captured_minor) == (State.CAPTURED, 300)
    assert till.entries("A-1") == ["authorization", "capture", "release"]


def test_more_captured_than_our_shares_is_flagged(till: Till, postman: Postman) -> None:
    till.hold("A-1")
    till.share("A-1/p1", 300)
    till.gateway.happen("pi_1", captured_minor=500, capturable_minor=500)

    event = postman.tell_of("pi_1")
    postman.read()

    assert postman.fate(event) == "applied: mismatch"
    assert till.payment("A-1").mismatch == "500 captured, 300 by us"
    assert till.payment("A-1").captured_minor == 300


def test_what_the_gateway_tells_while_a_share_is_open_is_left_to_its_step(
    till: Till, postman: Postman
) -> None:
    till.hold("A-1")
    ask = till.asked(till.share_call("A-1/p1", 300))
    answer = till.ask(ask)

    event = postman.tell_of("pi_1")
    postman.read()
    till.record([(ask.call, answer)])

    assert postman.fate(event) == "ignored: undecided"
    assert till.payment("A-1").captured_minor == 300
    assert till.story("A-1") == ["PaymentAuthorized", "ShareCaptured"]
