"""The provider may have done it: nobody assumes, it is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from payments import contract
from payments.gateways.base import Intent, RefundIntent, RefundResult
from payments.models import Payment, Refund
from sagas.steps import Continue, NotDone
from sagas.verdicts import Done, Refused, Unavailable, Unknown, Waiting
from tests.payments.till import Till

State = Payment.State


@pytest.mark.parametrize("trouble", ["do_then_drop", "do_then_5xx"])
def test_f13_f14_an_authorization_that_happened_unseen_is_found_by_its_id(till: Till, trouble: str) -> None:
    till.gateway.script("authorize", "A-1", trouble)
    call = till.call(contract.AUTHORIZE_PAYMENT, "A-1")

    first = till.run(call)
    between = till.payment("A-1")
    settled = till.settle(call)

    assert isinstance(first, Unknown)
    assert (between.state, between.unknown_of) == (State.UNKNOWN, "authorize")
    assert isinstance(settled, Done)
    assert (till.payment("A-1").state, till.payment("A-1").unknown_of) == (State.AUTHORIZED, "")
    assert till.gateway.effects("A-1") == {"holds": 1}
    assert till.story("A-1") == ["PaymentUnknown", "PaymentAuthorized"]


def test_f13_an_authorization_that_did_not_happen_is_proven_and_made_once(till: Till) -> None:
    till.gateway.script("authorize", "A-1", "drop")
    call = till.call(contract.AUTHORIZE_PAYMENT, "A-1")

    till.run(call)
    proven = till.run(replace(call, settling=True))
    settled = till.settle(call)

    assert isinstance(proven, NotDone)
    assert isinstance(settled, Done)
    assert till.gateway.effects("A-1") == {"holds": 1}
    assert till.gateway.attempts["create", "A-1"] == 1


def test_f14_a_failure_that_the_provider_repeats_for_ever_does_not_hide_what_it_did(till: Till) -> None:
    till.gateway.script("capture", "A-1", "do_then_5xx", status=500)
    till.authorize("A-1")
    call = till.call(contract.CAPTURE_PAYMENT, "A-1")

    answers = [till.run(call), till.settle(call)]

    assert isinstance(answers[0], Unknown)
    assert answers[1] == Done({"captured_minor": 1000})
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1}


@pytest.mark.parametrize(("trouble", "captures"), [("do_then_drop", 1), ("drop", 0)])
def test_f13_an_unknown_capture_ends_as_one_capture(till: Till, trouble: str, captures: int) -> None:
    till.authorize("A-1")
    till.gateway.script("capture", "A-1", trouble)
    call = till.call(contract.CAPTURE_PAYMENT, "A-1")

    first = till.run(call)
    between = (till.payment("A-1").state, till.gateway.effects("A-1").get("captures", 0))
    settled = till.settle(call)

    assert isinstance(first, Unknown)
    assert between == (State.UNKNOWN, captures)
    assert settled == Done({"captured_minor": 1000})
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1}


def test_a_step_that_is_not_told_to_settle_asks_all_the_same_before_it_acts_on_an_unknown_row(
    till: Till,
) -> None:
    till.authorize("A-1")
    till.gateway.script("capture", "A-1", "do_then_drop")
    till.capture("A-1")

    answer = till.capture("A-1")

    assert answer == Done({"captured_minor": 1000})
    assert till.gateway.attempts["capture", "A-1"] == 1


@pytest.mark.parametrize("trouble", ["do_then_drop", "drop"])
def test_f29_a_void_without_an_answer_is_unknown_until_the_provider_is_asked(
    till: Till, trouble: str
) -> None:
    till.authorize("A-1")
    till.gateway.script("void", "A-1", trouble)
    call = till.call(contract.VOID_AUTHORIZATION, "A-1", cause="deadline")

    first = till.run(call)
    between = till.payment("A-1")
    settled = till.run(replace(call, settling=True, attempt=2))

    assert isinstance(first, Unknown)
    assert (between.state, between.unknown_of) == (State.UNKNOWN, "void")
    assert settled == Done()
    assert till.payment("A-1").state == State.VOIDED
    assert till.gateway.effects("A-1") == {"holds": 1, "voids": 1}


@pytest.mark.parametrize("trouble", ["do_then_drop", "do_then_5xx", "drop"])
def test_f32_an_unknown_refund_ends_as_one_refund(till: Till, trouble: str) -> None:
    till.captured("A-1")
    till.gateway.script("refund", "A-1/C-1", trouble)
    call = till.refund_call("A-1/C-1", refund=400)

    first = till.run(call)
    between = till.refund_row("A-1/C-1").state
    settled = till.settle(call)

    assert isinstance(first, Unknown)
    assert between == Refund.State.UNKNOWN
    assert isinstance(settled, Done)
    assert settled.result["refunded_minor"] == 400
    assert till.gateway.effects("A-1") == {"holds": 1, "captures": 1, "refunds": 1}
    assert till.payment("A-1").refunded_minor == 400


def test_f15_a_refund_is_found_by_its_reference_when_the_provider_has_forgotten_its_key(till: Till) -> None:
    till.captured("A-1")
    till.gateway.script("refund", "A-1/C-1", "do_then_drop")
    call = till.refund_call("A-1/C-1", refund=400)
    till.run(call)
    till.gateway.forget_keys()

    settled = till.settle(call)

    assert isinstance(settled, Done)
    assert till.gateway.effects("A-1")["refunds"] == 1


def test_an_intent_whose_creation_got_no_answer_is_created_again_with_the_same_key(till: Till) -> None:
    till.gateway.script("create", "A-1", "do_then_drop")

    first, second = till.authorize("A-1"), till.authorize("A-1")

    assert first == Unavailable("payments.no_answer")
    assert isinstance(second, Done)
    assert till.payment("A-1").provider_id == "pi_1"
    assert till.gateway.effects("A-1") == {"holds": 1}


def test_a_worker_that_died_before_the_id_was_stored_confirmed_nothing(till: Till) -> None:
    call = till.call(contract.AUTHORIZE_PAYMENT, "A-1")
    begun = till.asked(call)
    till.ask(begun)  # the intent exists at the provider; the worker dies here

    answer = till.run(replace(call, settling=True))

    assert isinstance(answer, Done)
    assert till.payment("A-1").provider_id == "pi_1"
    assert till.gateway.effects("A-1") == {"holds": 1}


def test_a_saga_that_turned_back_creates_nothing_to_settle_what_was_never_confirmed(till: Till) -> None:
    call = till.call(contract.AUTHORIZE_PAYMENT, "A-1")
    till.begin([call])

    answer = till.run(replace(call, settling=True, cause="deadline"))

    assert isinstance(answer, NotDone)
    assert till.gateway.attempts["create", "A-1"] == 0


def test_being_unable_to_ask_leaves_it_unknown(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    till.gateway.script("authorize", "A-1", "drop")
    call = till.call(contract.AUTHORIZE_PAYMENT, "A-1")
    till.run(call)
    monkeypatch.setattr(till.gateway, "retrieve", lambda *_, **__: Unavailable("payments.provider_down"))

    answer = till.run(replace(call, settling=True))

    assert answer == Unknown("payments.provider_down")
    assert till.payment("A-1").state == State.UNKNOWN
    assert till.story("A-1") == ["PaymentUnknown"]


@pytest.mark.parametrize("lie", [{"amount_minor": 999}, {"currency": "EUR"}, {"id": "pi_of_somebody_else"}])
def test_f22_an_answer_about_another_amount_currency_or_object_is_flagged_and_nothing_is_applied(
    till: Till, monkeypatch: pytest.MonkeyPatch, lie: dict[str, Any]
) -> None:
    honest = till.gateway.confirm

    def lying(request: object) -> object:
        answer = honest(request)  # type: ignore[arg-type]
        return replace(answer, **lie) if isinstance(answer, Intent) else answer

    monkeypatch.setattr(till.gateway, "confirm", lying)

    answer = till.authorize("A-1")

    payment = till.payment("A-1")
    assert isinstance(answer, Waiting)
    assert (answer.code, answer.until) == ("payments.mismatch", till.clock.now + timedelta(days=1))
    assert (payment.state, payment.unknown_of, payment.authorized_minor) == (State.UNKNOWN, "authorize", 0)
    assert str(next(iter(lie.values()))) in payment.mismatch
    assert till.entries("A-1") == []
    assert till.story("A-1") == ["PaymentUnknown"]


def test_f22_a_mismatch_that_was_set_right_goes_on_when_it_is_looked_at_again(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = till.gateway.confirm
    with monkeypatch.context() as lying:
        lying.setattr(till.gateway, "confirm", lambda r: replace(honest(r), amount_minor=1))  # type: ignore[type-var]
        till.authorize("A-1")

    answer = till.authorize("A-1")

    assert isinstance(answer, Done)
    assert (till.payment("A-1").state, till.payment("A-1").mismatch) == (State.AUTHORIZED, "")


def test_an_unknown_authorization_that_was_declined_is_declined(till: Till) -> None:
    till.gateway.script("authorize", "A-1", "decline", times=1, code="lost_card")
    call = till.call(contract.AUTHORIZE_PAYMENT, "A-1")
    asked = till.created(till.asked(call))
    till.ask(asked)  # declined at the provider; the worker dies before it can say so

    answer = till.run(replace(call, settling=True))

    assert answer == Refused("payments.declined", "lost_card")
    assert till.payment("A-1").state == State.DECLINED


def test_f32_a_refund_the_provider_failed_to_make_gets_a_new_key_and_is_made_once(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.captured("A-1")
    honest, failed = till.gateway.refund, set[UUID]()

    def failing(request: RefundIntent) -> RefundResult:
        if not failed or request.key in failed:
            failed.add(request.key)
            return Unknown("payments.provider_failed", "500")
        return honest(request)

    monkeypatch.setattr(till.gateway, "refund", failing)
    call = till.refund_call("A-1/C-1", refund=400)

    first = till.run(call)
    proven = till.run(replace(call, settling=True))
    again = till.run(call)

    assert (isinstance(first, Unknown), isinstance(proven, NotDone)) == (True, True)
    assert isinstance(again, Done)
    assert till.gateway.effects("A-1")["refunds"] == 1
    assert till.refund_row("A-1/C-1").failures == 1


def test_of_two_intents_made_for_one_payment_only_the_stored_one_is_ever_confirmed(till: Till) -> None:
    first = till.call(contract.AUTHORIZE_PAYMENT, "A-1")
    slow = till.asked(first)
    orphan = till.ask(slow)
    till.authorize("A-1", intent=2)

    [kept] = till.record([(first, orphan)])

    assert orphan == Continue({"provider_id": "pi_1"})
    assert kept == Continue({"provider_id": "pi_2"})
    assert till.payment("A-1").provider_id == "pi_2"
    assert till.gateway.effects("A-1") == {"holds": 1}
