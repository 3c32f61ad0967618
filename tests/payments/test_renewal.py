"""F23: a hold is renewed before it runs out. Whatever comes between, one hold is left, or the money was taken."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payments import contract
from payments.gateways.base import CaptureIntent, Intent, IntentStatus
from payments.models import Payment, Renewal
from sagas.ids import uuid7
from sagas.steps import Ask, Continue
from sagas.verdicts import Done, Refused, Unavailable, Unknown, Waiting
from tests.payments.letters import Postman
from tests.payments.renewing import begin_renewal, call, held_there, hold_anew, let_go
from tests.payments.till import Till

State = Payment.State
UNKNOWN_HOLDS = ["drop", "do_then_drop", "do_then_5xx"]


@pytest.fixture
def held(till: Till) -> Till:
    """An authorized payment whose renewal has begun."""
    begin_renewal(till)
    return till


def renewal() -> Renewal:
    return Renewal.objects.get()


def test_f23_a_renewed_payment_goes_by_the_new_hold_and_the_old_one_is_let_go(held: Till) -> None:
    answers = hold_anew(held), let_go(held)

    payment = held.payment("A-1")
    assert answers == (Done(), Done())
    assert (payment.state, payment.provider_id) == (State.AUTHORIZED, "pi_2")
    assert payment.expires_at == held.clock.now + timedelta(days=7)
    assert (renewal().state, held_there(held)) == ("done", ["pi_2"])
    assert held.story("A-1") == ["PaymentAuthorized", "AuthorizationRenewed"]
    assert held.entries("A-1") == ["authorization"]


def test_f23_a_renewed_payment_is_captured_once_by_its_new_hold(held: Till) -> None:
    hold_anew(held)
    let_go(held)
    held.clock.forward(days=2)  # the first hold would have run out by now

    answer = held.capture("A-1")

    assert answer == Done({"captured_minor": 1000})
    assert held.gateway.effects("A-1") == {"holds": 2, "voids": 1, "captures": 1}


def test_f23_a_declined_renewal_leaves_the_hold_as_it_was_and_is_told(held: Till) -> None:
    held.gateway.script("authorize", "A-1", "decline", code="lost_card")

    answer = hold_anew(held)

    assert answer == Refused("payments.declined", "lost_card")
    assert (renewal().state, renewal().code, held_there(held)) == ("declined", "lost_card", ["pi_1"])
    assert held.payment("A-1").provider_id == "pi_1"
    assert held.story("A-1") == ["PaymentAuthorized", "RenewalFailed"]
    assert held.capture("A-1") == Done({"captured_minor": 1000})


def test_f23_a_bank_that_wants_the_customer_has_declined(held: Till) -> None:
    held.gateway.script("authorize", "A-1", "require_action")

    answer = hold_anew(held)

    new = held.gateway.retrieve("pi_2")
    assert answer == Refused("payments.declined", "authentication_required")
    assert isinstance(new, Intent)
    assert (new.status, held_there(held)) == (IntentStatus.DECLINED, ["pi_1"])


def test_f23_a_bank_that_asks_for_the_customer_all_the_same_is_never_answered(held: Till) -> None:
    asked = held.created(held.asked(call(held, contract.HOLD_ANEW)))
    held.gateway.happen("pi_2", status=IntentStatus.REQUIRES_ACTION)

    [answer] = held.record([(asked.call, held.ask(asked))])

    new = held.gateway.retrieve("pi_2")
    assert answer == Refused("payments.declined", "authentication_required")
    assert isinstance(new, Intent)
    assert (new.status, renewal().state) == (IntentStatus.VOIDED, "declined")


@pytest.mark.parametrize("trouble", UNKNOWN_HOLDS)
def test_f23_an_unknown_renewal_is_settled_by_asking(held: Till, trouble: str) -> None:
    held.gateway.script("authorize", "A-1", trouble)
    first = call(held, contract.HOLD_ANEW)

    answer = held.run(first)
    settled = held.settle(first)
    let_go(held)

    assert isinstance(answer, Unknown)
    assert settled == Done()
    assert (held.payment("A-1").provider_id, held_there(held)) == ("pi_2", ["pi_2"])
    assert held.gateway.effects("A-1") == {"holds": 2, "voids": 1}


@pytest.mark.parametrize("trouble", UNKNOWN_HOLDS)
def test_f23_a_renewal_given_up_while_it_is_unknown_leaves_one_hold(held: Till, trouble: str) -> None:
    held.gateway.script("authorize", "A-1", trouble)
    hold_anew(held)

    answer = let_go(held, contract.GIVE_UP_RENEWAL)

    assert answer == Done()
    assert (renewal().state, held.payment("A-1").provider_id, held_there(held)) == (
        "dropped",
        "pi_1",
        ["pi_1"],
    )
    assert held.story("A-1")[-1] == "RenewalFailed"


def test_f23_a_capture_that_came_first_wins_and_the_new_hold_is_let_go(held: Till) -> None:
    asked = held.created(held.asked(call(held, contract.HOLD_ANEW)))
    new = held.ask(asked)
    held.capture("A-1")

    [recorded] = held.record([(asked.call, new)])
    let_go(held)

    payment = held.payment("A-1")
    assert recorded == Done()
    assert (payment.state, payment.provider_id) == (State.CAPTURED, "pi_1")
    assert (renewal().state, held_there(held)) == ("dropped", [])


def test_f23_a_renewal_waits_for_a_capture_that_is_under_way(held: Till) -> None:
    asked = held.created(held.asked(call(held, contract.HOLD_ANEW)))
    new = held.ask(asked)
    capturing = held.asked(held.call(contract.CAPTURE_PAYMENT, "A-1"))

    [waits] = held.record([(asked.call, new)])
    held.record([(capturing.call, Unavailable("payments.provider_down"))])  # proven not done
    again = hold_anew(held)

    assert isinstance(waits, Waiting)
    assert capturing.payload["intent_id"] == "pi_1"
    assert again == Done()
    assert held.payment("A-1").provider_id == "pi_2"


def test_f23_a_void_that_came_first_wins_and_both_holds_are_gone(held: Till) -> None:
    asked = held.created(held.asked(call(held, contract.HOLD_ANEW)))
    new = held.ask(asked)
    held.void("A-1")

    held.record([(asked.call, new)])
    let_go(held)

    assert held.payment("A-1").state == State.VOIDED
    assert (renewal().state, held_there(held)) == ("dropped", [])


def test_f23_a_void_after_the_renewal_lets_go_of_the_new_hold_too(held: Till) -> None:
    hold_anew(held)
    held.void("A-1")

    let_go(held)

    assert held.payment("A-1").state == State.VOIDED
    assert (renewal().state, held_there(held)) == ("done", [])


def test_f23_what_was_captured_before_the_renewal_began_is_not_held_again(held: Till) -> None:
    held.capture("A-1")

    answer = hold_anew(held)

    assert answer == Refused("payments.renewal_not_needed", "the payment is captured")
    assert held.gateway.effects("A-1") == {"holds": 1, "captures": 1}


def test_f23_what_was_captured_while_the_intent_was_made_is_never_confirmed(held: Till) -> None:
    asked = held.asked(call(held, contract.HOLD_ANEW))
    made = held.ask(asked)
    held.capture("A-1")

    [recorded] = held.record([(asked.call, made)])
    let_go(held)

    assert isinstance(made, Continue)
    assert recorded == Done()
    assert held.gateway.effects("A-1") == {"holds": 1, "captures": 1}


def test_f23_a_capture_that_lingered_on_the_old_hold_wins_over_the_renewal(held: Till) -> None:
    hold_anew(held)
    late = CaptureIntent(key=uuid7(), intent_id="pi_1", amount_minor=1000)
    held.gateway.capture(late)  # a call of a worker that was given up, and its answer never came

    answers = let_go(held), let_go(held)

    payment = held.payment("A-1")
    assert answers == (Unavailable("payments.capture_in_flight"), Done())
    assert (payment.state, payment.provider_id) == (State.CAPTURED, "pi_1")
    assert (renewal().state, held_there(held)) == ("dropped", [])
    assert held.entries("A-1") == ["authorization", "capture"]


def test_f23_word_that_the_old_hold_ran_out_does_not_expire_a_renewed_payment(held: Till) -> None:
    asked = held.asked(held.call(contract.CAPTURE_PAYMENT, "A-1"))
    held.record([(asked.call, Unavailable("payments.provider_down"))])
    hold_anew(held)
    capturing = held.asked(held.call(contract.CAPTURE_PAYMENT, "A-1"))

    [late] = held.record([(asked.call, Refused("payments.authorization_expired", "pi_1"))])

    assert late == Unavailable("payments.authorization_renewed")
    assert held.payment("A-1").state == State.CAPTURING
    assert capturing.payload["intent_id"] == "pi_2"
    assert isinstance(capturing, Ask)


def test_f23_a_hold_that_was_not_renewed_runs_out_and_the_capture_refuses(held: Till) -> None:
    held.gateway.script("authorize", "A-1", "decline", code="lost_card")
    hold_anew(held)
    held.clock.forward(days=2)

    answer = held.capture("A-1")

    assert answer == Refused("payments.authorization_expired", "pi_1")
    assert held.payment("A-1").state == State.EXPIRED
    assert held.story("A-1")[-1] == "PaymentExpired"


def test_f23_news_of_two_holds_wait_for_the_renewal_and_are_old_after_it(
    held: Till, postman: Postman
) -> None:
    hold_anew(held)
    old = postman.tell_of("pi_1")
    postman.read()
    meanwhile = postman.fate(old)
    let_go(held)

    new, gone = postman.tell_of("pi_2"), postman.tell_of("pi_1")
    postman.read()

    assert meanwhile == "matched: renewal_at_work"
    assert postman.fate(new) == "ignored: known"
    assert postman.fate(gone) == "ignored: spare_hold"
    assert (held.payment("A-1").state, held.payment("A-1").mismatch) == (State.AUTHORIZED, "")


def test_f23_a_capture_of_the_new_hold_has_another_key_than_one_of_the_old(held: Till) -> None:
    capturing = held.call(contract.CAPTURE_PAYMENT, "A-1")
    held.gateway.capture(
        CaptureIntent(key=capturing.key, intent_id="pi_1", amount_minor=9999)
    )  # a no, kept by its key
    hold_anew(held)

    answer = held.run(capturing)

    assert answer == Done({"captured_minor": 1000})
