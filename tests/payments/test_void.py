"""Holds are let go: once, before they exist, and after the money was taken after all."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from payments import contract
from payments.gateways.base import ALREADY_VOIDED, CaptureIntent, ConfirmIntent, IntentResult, VoidIntent
from payments.models import Payment, Refund
from payments.queries import trial_balance
from sagas.ids import uuid7
from sagas.steps import Ask
from sagas.verdicts import Done, Refused, Unavailable, Unknown
from tests.payments.till import Till

State = Payment.State


def test_a_voided_payment_holds_nothing_here_nor_at_the_provider(till: Till) -> None:
    till.authorize("A-1")

    answer = till.void("A-1")

    payment = till.payment("A-1")
    assert answer == Done()
    assert (payment.state, payment.released_at) == (State.VOIDED, till.clock.now)
    assert till.gateway.effects("A-1") == {"holds": 1, "voids": 1}
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentVoided"]
    assert set(trial_balance().values()) == {0}


def test_voiding_twice_asks_once(till: Till) -> None:
    till.authorize("A-1")
    till.void("A-1")

    again = till.void("A-1")

    assert again == Done()
    assert till.gateway.attempts["void", "A-1"] == 1
    assert till.entries("A-1") == ["authorization", "release"]


def test_a_void_that_comes_first_leaves_a_tombstone_that_no_authorization_passes(till: Till) -> None:
    voided = till.void("A-1")
    late = till.authorize("A-1")

    assert voided == Done()
    assert late == Refused("payments.voided")
    assert till.gateway.attempts["create", "A-1"] == 0
    assert till.payment("A-1").state == State.VOIDED
    assert till.story("A-1") == ["PaymentVoided"]


def test_a_void_before_the_confirmation_makes_sure_that_it_will_fail(till: Till) -> None:
    call = till.call(contract.AUTHORIZE_PAYMENT, "A-1")
    asked = till.created(till.asked(call))  # a zombie sleeps here

    voided = till.void("A-1")
    late = till.ask(asked)

    assert voided == Done()
    assert late == Refused(ALREADY_VOIDED, "voided")
    assert till.gateway.effects("A-1") == {}
    assert till.payment("A-1").state == State.VOIDED


def test_f75_a_late_success_reopens_the_tombstone_so_that_the_undo_can_let_it_go(till: Till) -> None:
    """The tombstone stood before the provider's id was known, so nothing was cancelled there."""
    call = till.call(contract.AUTHORIZE_PAYMENT, "A-1")
    begun = till.asked(call)
    created = till.ask(begun)
    till.void("A-1")
    intent_id = created.memo["provider_id"]  # type: ignore[union-attr]
    confirmed = till.gateway.confirm(ConfirmIntent(key=call.key, intent_id=intent_id))
    late = replace(call, late=True, cause="deadline")

    [kept] = till.record([(late, Done({"provider_id": intent_id}))])
    reopened = till.payment("A-1").state
    undone = till.void("A-1")

    assert confirmed.status == "authorized"  # type: ignore[union-attr]
    assert isinstance(kept, Done)
    assert reopened == State.AUTHORIZED
    assert undone == Done()
    assert till.payment("A-1").state == State.VOIDED
    assert till.gateway.effects("A-1") == {"holds": 1, "voids": 1}
    assert till.story("A-1") == ["PaymentVoided", "PaymentAuthorized", "PaymentVoided"]


def test_f75_a_late_success_during_a_void_is_booked_and_let_go_with_it(till: Till) -> None:
    call = till.call(contract.AUTHORIZE_PAYMENT, "A-1")
    asked = till.created(till.asked(call))
    answer = till.ask(asked)  # the money is held, the answer is still on its way
    undo = till.call(contract.VOID_AUTHORIZATION, "A-1", cause="deadline")
    [voiding] = till.begin([undo])

    till.record([(replace(call, late=True), answer)])
    between = till.payment("A-1")
    assert isinstance(voiding, Ask)
    till.record([(undo, till.ask(voiding))])

    assert (between.state, between.authorized_minor) == (State.VOIDING, 1000)
    assert till.payment("A-1").state == State.VOIDED
    assert till.entries("A-1") == ["authorization", "release"]


def test_old_news_of_a_hold_that_was_let_go_reopens_nothing(till: Till) -> None:
    till.authorize("A-1")
    till.void("A-1")
    late = till.call(contract.AUTHORIZE_PAYMENT, "A-1", late=True)

    till.record(
        [
            (late, Done({"provider_id": "pi_1"})),
        ]
    )

    assert till.payment("A-1").state == State.VOIDED
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentVoided"]


@pytest.mark.parametrize("late", [Unknown("payments.no_answer"), Refused("payments.declined"), Unavailable()])
def test_a_late_answer_that_is_no_success_disturbs_no_void(till: Till, late: Unknown | Refused) -> None:
    till.gateway.script("authorize", "A-1", "drop")
    call = till.call(contract.AUTHORIZE_PAYMENT, "A-1")
    till.run(call)
    till.begin([till.call(contract.VOID_AUTHORIZATION, "A-1", cause="deadline")])
    till.void("A-1")

    till.record([(replace(call, late=True), late)])

    assert till.payment("A-1").state == State.VOIDED


def test_f30_a_void_that_finds_the_money_taken_gives_it_back_instead(till: Till) -> None:
    till.authorize("A-1")
    intent_id = till.payment("A-1").provider_id
    till.gateway.capture(CaptureIntent(key=uuid7(), intent_id=intent_id, amount_minor=1000))

    answer = till.void("A-1")

    payment = till.payment("A-1")
    assert answer == Done()
    assert (payment.state, payment.captured_minor, payment.refunded_minor) == (State.CAPTURED, 1000, 1000)
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1, "refunds": 1}
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentCaptured", "PaymentRefunded"]
    assert till.entries("A-1") == ["authorization", "capture", "refund_promised", "refund_paid"]


@pytest.mark.parametrize("trouble", ["do_then_drop", "drop", "do_then_5xx"])
def test_f30_f32_the_refund_of_a_void_may_be_unknown_too_and_still_happens_once(
    till: Till, trouble: str
) -> None:
    till.captured("A-1")
    till.gateway.script("refund", "A-1", trouble)
    call = till.call(contract.VOID_AUTHORIZATION, "A-1", cause="intent")

    first = till.run(call)
    settled = till.run(replace(call, settling=True, attempt=2))

    assert isinstance(first, Unknown)
    assert settled == Done()
    assert till.gateway.effects("A-1")["refunds"] == 1
    assert till.payment("A-1").refunded_minor == 1000


def test_f30_a_void_whose_refund_fails_cannot_be_undone_and_stays_owed(till: Till) -> None:
    till.captured("A-1")
    till.gateway.script("refund", "A-1", "decline", code="account_closed")

    answer = till.void("A-1")

    assert answer == Refused("payments.refund_failed", "account_closed")
    assert till.refund_row("A-1").state == Refund.State.FAILED
    assert trial_balance()["refunds_payable", "GBP"] == -1000


def test_a_declined_payment_has_nothing_to_void(till: Till) -> None:
    till.gateway.script("authorize", "A-1", "decline", code="lost_card")
    till.authorize("A-1")

    answer = till.void("A-1")

    assert answer == Done()
    assert till.payment("A-1").state == State.DECLINED
    assert till.gateway.attempts["void", "A-1"] == 0


def test_a_void_that_could_not_be_sent_keeps_captures_out(till: Till) -> None:
    till.authorize("A-1")
    till.gateway.script("void", "A-1", "unavailable")

    voided, captured = till.void("A-1"), till.capture("A-1")

    assert voided == Unavailable("payments.provider_down")
    assert captured == Refused("payments.voided")
    assert till.void("A-1") == Done()
    assert till.gateway.effects("A-1") == {"holds": 1, "voids": 1}


def test_an_unknown_authorization_is_asked_about_before_it_is_voided(till: Till) -> None:
    till.gateway.script("authorize", "A-1", "do_then_drop")
    till.authorize("A-1")

    answer = till.void("A-1")

    assert answer == Done()
    assert till.payment("A-1").state == State.VOIDED
    assert till.gateway.effects("A-1") == {"holds": 1, "voids": 1}


def test_old_news_of_a_hold_that_was_never_booked_reopens_nothing_either(till: Till) -> None:
    call = till.call(contract.AUTHORIZE_PAYMENT, "A-1")
    asked = till.created(till.asked(call))
    answer = till.ask(asked)  # held, and the void overtakes the answer
    till.void("A-1")

    till.record([(replace(call, late=True), answer)])

    assert isinstance(answer, Done)
    assert till.payment("A-1").state == State.VOIDED
    assert till.gateway.effects("A-1") == {"holds": 1, "voids": 1}
    assert till.entries("A-1") == []


def test_a_void_that_was_unknown_and_is_known_to_be_undone_is_voiding_again(till: Till) -> None:
    till.authorize("A-1")
    till.gateway.script("void", "A-1", "drop")
    till.gateway.script("void", "A-1", "rate_limit")

    first, second = till.void("A-1"), till.void("A-1")

    assert isinstance(first, Unknown)
    assert second == Unavailable("payments.provider_throttled")
    assert till.payment("A-1").state == State.VOIDING


def test_a_failure_stored_under_a_voids_key_does_not_come_back_for_ever(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.authorize("A-1")
    honest, failed = till.gateway.void, set[UUID]()

    def failing(request: VoidIntent) -> IntentResult:
        if not failed or request.key in failed:
            failed.add(request.key)
            return Unknown("payments.provider_failed", "500")
        return honest(request)

    monkeypatch.setattr(till.gateway, "void", failing)

    first, second = till.void("A-1"), till.void("A-1")

    assert isinstance(first, Unknown)
    assert second == Done()
    assert till.gateway.effects("A-1") == {"holds": 1, "voids": 1}
