"""Money comes in: held, taken once, or declined."""

from __future__ import annotations

from payments import contract
from payments.gateways.base import VoidIntent
from payments.models import Payment
from payments.queries import trial_balance
from sagas.ids import uuid7
from sagas.log import read
from sagas.verdicts import Done, Refused, Unavailable
from tests.payments.till import Till

State = Payment.State


def test_an_authorized_payment_holds_the_whole_amount_and_nothing_has_moved(till: Till) -> None:
    answer = till.authorize("A-1", amount=1250)

    payment = till.payment("A-1")
    assert answer == Done({"payment_id": str(payment.id)})
    assert (payment.state, payment.authorized_minor, payment.captured_minor) == (State.AUTHORIZED, 1250, 0)
    assert till.gateway.effects("A-1") == {"holds": 1}
    assert trial_balance() == {("holds", "GBP"): 1250, ("holds_contra", "GBP"): -1250}


def test_the_providers_id_is_stored_before_the_card_is_touched(till: Till) -> None:
    till.gateway.script("authorize", "A-1", "drop")

    till.authorize("A-1")

    payment = till.payment("A-1")
    assert payment.provider_id == "pi_1"
    assert till.gateway.effects("A-1") == {}


def test_authorizing_again_asks_nobody(till: Till) -> None:
    first = till.authorize("A-1")

    again = till.authorize("A-1")

    assert again == first
    assert till.gateway.attempts["create", "A-1"] == 1
    assert till.story("A-1") == ["PaymentAuthorized"]


def test_f11_a_declined_card_refuses_with_the_banks_word_and_is_not_tried_again(till: Till) -> None:
    till.gateway.script("authorize", "A-1", "decline", code="insufficient_funds")

    answers = [till.authorize("A-1"), till.authorize("A-1")]

    assert answers == [Refused("payments.declined", "insufficient_funds")] * 2
    assert (till.payment("A-1").state, till.payment("A-1").code) == (State.DECLINED, "insufficient_funds")
    assert till.gateway.attempts["authorize", "A-1"] == 1
    assert till.story("A-1") == ["PaymentDeclined"]
    assert till.entries("A-1") == []


def test_a_provider_that_is_down_leaves_nothing_behind_and_is_tried_again(till: Till) -> None:
    till.gateway.script("authorize", "A-1", "unavailable")

    first, second = till.authorize("A-1"), till.authorize("A-1")

    assert first == Unavailable("payments.provider_down")
    assert isinstance(second, Done)
    assert till.gateway.effects("A-1") == {"holds": 1}


def test_a_captured_payment_is_ours_and_the_hold_is_gone(till: Till) -> None:
    till.authorize("A-1")

    answer = till.capture("A-1")

    assert answer == Done({"captured_minor": 1000})
    assert (till.payment("A-1").state, till.payment("A-1").captured_minor) == (State.CAPTURED, 1000)
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentCaptured"]
    assert {account: amount for (account, _), amount in trial_balance().items() if amount} == {
        "provider_clearing": 1000,
        "sales": -1000,
    }


def test_capturing_again_asks_nobody_and_books_nothing(till: Till) -> None:
    till.captured("A-1")

    answer = till.capture("A-1")

    assert answer == Done({"captured_minor": 1000})
    assert till.gateway.attempts["capture", "A-1"] == 1
    assert till.entries("A-1") == ["authorization", "capture"]


def test_a_capture_that_could_not_be_sent_leaves_the_payment_to_whoever_comes_next(till: Till) -> None:
    till.authorize("A-1")
    till.gateway.script("capture", "A-1", "rate_limit")

    answer = till.capture("A-1")

    assert answer == Unavailable("payments.provider_throttled")
    assert till.payment("A-1").state == State.AUTHORIZED


def test_f24_a_capture_that_is_refused_is_told_and_the_hold_can_still_be_let_go(till: Till) -> None:
    till.authorize("A-1")
    till.gateway.script("capture", "A-1", "decline", code="processing_error")

    answer = till.capture("A-1")

    assert answer == Refused("payments.capture_failed", "processing_error")
    assert till.payment("A-1").state == State.CAPTURE_FAILED
    assert till.void("A-1") == Done()
    assert till.payment("A-1").state == State.VOIDED
    assert till.story("A-1") == ["PaymentAuthorized", "CaptureFailed", "PaymentVoided"]


def test_a_hold_the_provider_let_go_by_itself_is_expired(till: Till) -> None:
    till.authorize("A-1")
    till.gateway.void(VoidIntent(key=uuid7(), intent_id=till.payment("A-1").provider_id))

    answer = till.capture("A-1")

    assert answer == Refused("payments.authorization_expired", "pi_1")
    assert till.payment("A-1").state == State.EXPIRED
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentExpired"]


def test_what_was_never_authorized_cannot_be_captured(till: Till) -> None:
    assert till.capture("A-1") == Refused("payments.not_authorized")
    assert Payment.objects.count() == 0


def test_an_order_that_costs_nothing_never_meets_the_provider(till: Till) -> None:
    held = till.authorize("A-1", amount=0)
    taken = till.capture("A-1", amount=0)

    assert isinstance(held, Done)
    assert taken == Done({"captured_minor": 0})
    assert till.gateway.attempts["create", "A-1"] == 0
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentCaptured"]


def test_every_fact_carries_the_correlation_id_of_its_own_request(till: Till) -> None:
    till.run_all([till.call(contract.AUTHORIZE_PAYMENT, reference) for reference in ("A-1", "A-2")])

    told = {name: read(till.payment(name).id)[0].metadata["correlation_id"] for name in ("A-1", "A-2")}
    assert told == {"A-1": "request of A-1", "A-2": "request of A-2"}
