"""Money goes back: never more than came in, and what cannot go back is owed."""

from __future__ import annotations

from payments.models import JournalEntry, Payment, Refund
from payments.queries import balances_of_payment, trial_balance
from sagas.log import read
from sagas.verdicts import Done, Refused, Unavailable
from tests.payments.till import Till


def test_a_refund_gives_back_what_was_asked(till: Till) -> None:
    till.captured("A-1")

    answer = till.refund("A-1/C-1", refund=400)

    refund = till.refund_row("A-1/C-1")
    assert answer == Done({"refund_id": str(refund.id), "refunded_minor": 400, "credited_minor": 0})
    assert (refund.state, till.payment("A-1").refunded_minor) == (Refund.State.SUCCEEDED, 400)
    assert till.story("A-1") == ["PaymentAuthorized", "PaymentCaptured", "PaymentRefunded"]
    assert balances_of_payment(till.payment("A-1").id) == {
        "provider_clearing": 600,
        "sales": -1000,
        "refunds": 400,
    }


def test_refunding_again_for_one_saga_asks_nobody(till: Till) -> None:
    till.captured("A-1")
    first = till.refund("A-1/C-1", refund=400)

    again = till.refund("A-1/C-1", refund=400)

    assert again == first
    assert till.gateway.effects("A-1")["refunds"] == 1


def test_f33_what_is_above_the_captured_amount_becomes_customer_credit(till: Till) -> None:
    till.captured("A-1")
    till.refund("A-1/C-1", refund=800)

    answer = till.refund("A-1/C-2", refund=500)

    assert isinstance(answer, Done)
    assert (answer.result["refunded_minor"], answer.result["credited_minor"]) == (200, 300)
    assert till.payment("A-1").refunded_minor == 1000
    assert trial_balance()["customer_credit", "GBP"] == -300


def test_a_credit_that_orders_decided_on_is_owed_and_told(till: Till) -> None:
    till.captured("A-1")

    till.refund("A-1/C-1", refund=0, credit=150)

    refund = till.refund_row("A-1/C-1")
    entry = JournalEntry.objects.get(kind="credit")
    [told] = read(entry.id)
    assert (refund.state, refund.amount_minor, refund.credit_minor) == (Refund.State.SUCCEEDED, 0, 150)
    assert (entry.source_id, entry.order_id) == (refund.id, till.id("A-1"))
    assert (told.type, told.event.to_data()["amount_minor"]) == ("payments.CustomerCredited", 150)
    assert till.gateway.attempts["refund", "A-1/C-1"] == 0


def test_where_nothing_was_captured_nothing_goes_back_and_nothing_is_owed(till: Till) -> None:
    till.authorize("A-1")
    till.void("A-1")

    answer = till.refund("A-1/C-1", refund=400)

    refund = till.refund_row("A-1/C-1")
    assert answer == Done({"refund_id": str(refund.id), "refunded_minor": 0, "credited_minor": 0})
    assert refund.payment_id is None
    assert JournalEntry.objects.filter(kind="credit").count() == 0


def test_an_order_without_any_payment_can_be_asked_about(till: Till) -> None:
    answer = till.refund("A-1/C-1", refund=400, credit=50)

    assert isinstance(answer, Done)
    assert (answer.result["refunded_minor"], answer.result["credited_minor"]) == (0, 50)


def test_f31_a_refund_that_fails_is_still_owed_and_a_person_may_try_it_again(till: Till) -> None:
    till.captured("A-1")
    till.gateway.script("refund", "A-1/C-1", "decline", times=1, code="account_closed")

    failed = till.refund("A-1/C-1", refund=400)
    owed = (till.refund_row("A-1/C-1").state, trial_balance()["refunds_payable", "GBP"])
    again = till.refund("A-1/C-1", refund=400)

    assert failed == Refused("payments.refund_failed", "account_closed")
    assert owed == (Refund.State.FAILED, -400)
    assert isinstance(again, Done)
    assert trial_balance()["refunds_payable", "GBP"] == 0
    assert till.story("A-1")[2:] == ["RefundFailed", "PaymentRefunded"]


def test_what_a_failed_refund_owes_is_promised_to_nobody_else(till: Till) -> None:
    till.captured("A-1")
    till.gateway.script("refund", "A-1/C-1", "decline", code="account_closed")
    till.refund("A-1/C-1", refund=800)

    answer = till.refund("A-1/C-2", refund=500)

    assert isinstance(answer, Done)
    assert (answer.result["refunded_minor"], answer.result["credited_minor"]) == (200, 300)


def test_a_refund_waits_until_it_is_known_whether_the_money_was_taken(till: Till) -> None:
    till.authorize("A-1")
    till.gateway.script("capture", "A-1", "do_then_drop")
    till.capture("A-1")

    early, late = till.refund("A-1/C-1", refund=400), None
    till.capture("A-1")
    late = till.refund("A-1/C-1", refund=400)

    assert isinstance(early, Unavailable)
    assert early.code == "payments.unsettled"
    assert isinstance(late, Done)
    assert till.payment("A-1").refunded_minor == 400


def test_another_currency_than_the_payments_is_refused(till: Till) -> None:
    till.captured("A-1")

    answer = till.refund("A-1/C-1", refund=400, currency="EUR")

    assert isinstance(answer, Refused)
    assert answer.code == "payments.currency_differs"
    assert Refund.objects.count() == 0


def test_two_credit_notes_of_one_order_in_one_batch_share_what_was_captured(till: Till) -> None:
    till.captured("A-1")

    answers = till.run_all([till.refund_call(f"A-1/C-{n}", refund=700) for n in (1, 2)])

    given = [(a.result["refunded_minor"], a.result["credited_minor"]) for a in answers if isinstance(a, Done)]
    assert given == [(700, 0), (300, 400)]
    assert Payment.objects.get().refunded_minor == 1000
