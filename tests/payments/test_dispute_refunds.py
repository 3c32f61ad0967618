"""F34 with F31: what a customer's bank is after is not paid back beside it, and what it has taken is owed no more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from payments import contract
from payments.commands.repaying import PaymentInQuestion, repay_refund
from payments.gateways.base import DisputeStatus, RefundStatus
from payments.models import Payment, Refund
from payments.queries import trial_balance
from sagas.steps import Ask, NotDone
from sagas.verdicts import Done, Refused, Waiting
from tests.payments.letters import Postman
from tests.payments.till import Till

NOTE = "A-1/C-1"


@pytest.fixture
def told(till: Till, postman: Postman) -> Callable[..., None]:
    """Let the bank open a dispute or take it further, told and read."""

    def tell(status: str = "needs_response", **changes: object) -> None:
        if status == "needs_response":
            till.gateway.dispute("pi_1", "dp_1", **changes)
        else:
            till.gateway.happen("dp_1", status=DisputeStatus(status))
        postman.tell_of_dispute("dp_1")
        postman.read()

    return tell


def refunds_there(till: Till) -> int:
    return till.gateway.effects("A-1").get("refunds", 0)


def done(till: Till, refunded: int) -> Done:
    ident = str(till.refund_row(NOTE).id)
    return Done({"refund_id": ident, "refunded_minor": refunded, "credited_minor": 0})


def test_f34_while_the_bank_decides_a_refund_waits_and_nothing_is_sent(
    till: Till, told: Callable[..., None]
) -> None:
    till.captured("A-1")
    told()

    answer = till.refund(NOTE, refund=400)

    assert isinstance(answer, Waiting)
    assert (answer.code, answer.until) == ("payments.disputed", till.clock.now + timedelta(hours=1))
    assert (Refund.objects.count(), refunds_there(till)) == (0, 0)


def test_f34_a_dispute_that_is_won_lets_the_refund_go(till: Till, told: Callable[..., None]) -> None:
    till.captured("A-1")
    told()
    till.refund(NOTE, refund=400)
    told("won")

    answer = till.refund(NOTE, refund=400)

    assert answer == done(till, 400)
    assert refunds_there(till) == 1


def test_f34_a_dispute_that_is_lost_ends_the_refund_as_refused_and_nothing_is_owed(
    till: Till, told: Callable[..., None]
) -> None:
    till.captured("A-1")
    told()
    till.refund(NOTE, refund=400)
    told("lost")

    answer = till.refund(NOTE, refund=400)

    refund, payment = till.refund_row(NOTE), till.payment("A-1")
    assert answer == done(till, 0)
    assert (refund.state, refund.code, refund.amount_minor) == ("refused", "payments.dispute_lost", 400)
    assert (payment.refunding_minor, payment.refunded_minor, refunds_there(till)) == (0, 0, 0)
    assert ("customer_credit", "GBP") not in trial_balance()
    assert till.story("A-1")[-2:] == ["DisputeClosed", "RefundRefused"]


def test_f25_a_refund_of_what_the_provider_took_back_ends_as_refused(till: Till) -> None:
    till.captured("A-1")
    Payment.objects.update(flag="reversed")

    answer = till.refund(NOTE, refund=400)

    assert answer == done(till, 0)
    assert (till.refund_row(NOTE).state, till.refund_row(NOTE).code) == ("refused", "payments.reversed")


def test_of_a_part_that_was_lost_the_rest_is_paid_back_and_never_more(
    till: Till, told: Callable[..., None]
) -> None:
    till.captured("A-1")
    told(amount_minor=400)
    told("lost")

    first = till.refund(NOTE, refund=1000)
    second = till.refund("A-1/C-2", refund=100)

    payment = till.payment("A-1")
    assert first == done(till, 600)
    assert isinstance(second, Done)
    assert second.result["refunded_minor"] == 0
    assert (payment.refunded_minor, payment.charged_back_minor) == (600, 400)
    assert ("customer_credit", "GBP") not in trial_balance()


def test_what_a_person_owes_besides_is_owed_all_the_same(till: Till, told: Callable[..., None]) -> None:
    till.captured("A-1")
    told()
    told("lost")

    answer = till.refund(NOTE, refund=400, credit=150)

    assert isinstance(answer, Done)
    assert (answer.result["refunded_minor"], answer.result["credited_minor"]) == (0, 150)


def test_an_inquiry_does_not_stop_a_refund(till: Till, told: Callable[..., None]) -> None:
    till.captured("A-1")
    told(inquiry=True)

    answer = till.refund(NOTE, refund=400)

    assert answer == done(till, 400)


def test_f34_a_refund_whose_outcome_is_unknown_is_asked_after_and_not_sent_anew(
    till: Till, told: Callable[..., None]
) -> None:
    till.captured("A-1")
    till.gateway.script("refund", NOTE, "drop", times=1)
    till.refund(NOTE, refund=400)
    unknown = till.refund_row(NOTE).state
    told()

    settled = till.refund(NOTE, refund=400)
    waits = till.refund(NOTE, refund=400)

    assert unknown == "unknown"
    assert isinstance(settled, NotDone)
    assert isinstance(waits, Waiting)
    assert (till.refund_row(NOTE).state, refunds_there(till)) == ("submitting", 0)


def test_f34_a_refund_that_had_gone_before_counts_although_its_answer_was_lost(
    till: Till, told: Callable[..., None]
) -> None:
    till.captured("A-1")
    till.gateway.script("refund", NOTE, "do_then_drop", times=1)
    till.refund(NOTE, refund=400)
    told(amount_minor=600)

    answer = till.refund(NOTE, refund=400)

    assert answer == done(till, 400)
    assert till.payment("A-1").refunded_minor == 400


def test_f34_a_refund_that_was_promised_and_not_sent_is_given_up_when_the_bank_has_taken_it(
    till: Till, told: Callable[..., None]
) -> None:
    till.captured("A-1")
    till.gateway.script("refund", NOTE, "unavailable", times=1)
    till.refund(NOTE, refund=400)
    told()
    told("lost")

    answer = till.refund(NOTE, refund=400)

    balance = trial_balance()
    assert answer == done(till, 0)
    assert till.refund_row(NOTE).state == "refused"
    assert (till.payment("A-1").refunding_minor, refunds_there(till)) == (0, 0)
    assert (balance["refunds_payable", "GBP"], balance["refunds", "GBP"]) == (0, 0)


def test_f34_a_promise_is_kept_as_far_as_the_payment_reaches(till: Till, told: Callable[..., None]) -> None:
    till.captured("A-1")
    till.gateway.script("refund", NOTE, "unavailable", times=1)
    till.refund(NOTE, refund=800)
    told(amount_minor=500)
    told("lost")

    answer = till.refund(NOTE, refund=800)

    payment = till.payment("A-1")
    assert answer == done(till, 500)
    assert (payment.refunded_minor, payment.charged_back_minor, payment.refunding_minor) == (500, 500, 0)
    assert trial_balance()["refunds_payable", "GBP"] == 0


def test_f34_the_provider_knew_of_the_dispute_before_we_did(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.gateway.dispute("pi_1", "dp_1")
    waits = till.refund(NOTE, refund=400)
    postman.tell_of_dispute("dp_1")
    postman.read()
    till.gateway.happen("dp_1", status=DisputeStatus.WON)
    postman.tell_of_dispute("dp_1", kind="closed")
    postman.read()

    answer = till.refund(NOTE, refund=400)

    assert isinstance(waits, Waiting)
    assert waits.code == "payments.disputed"
    assert answer == done(till, 400)


def test_f31_f34_what_failed_and_the_bank_then_took_is_owed_no_more(
    till: Till, told: Callable[..., None]
) -> None:
    till.captured("A-1")
    till.gateway.script("refund", NOTE, "decline", times=1, code="account_closed")
    failed = till.refund(NOTE, refund=400)
    told()
    with pytest.raises(PaymentInQuestion, match="disputed"):
        repay_refund(till.refund_row(NOTE).pk, reference="BT-1", actor="ada", reason="r", now=till.clock.now)

    told("lost")

    assert isinstance(failed, Refused)
    assert till.refund_row(NOTE).state == "refused"
    assert (till.payment("A-1").refunding_minor, trial_balance()["refunds_payable", "GBP"]) == (0, 0)
    assert till.story("A-1")[-2:] == ["DisputeClosed", "RefundRefused"]


def test_f31_f34_what_failed_and_the_bank_left_alone_is_still_owed_and_may_be_repaid(
    till: Till, told: Callable[..., None]
) -> None:
    till.captured("A-1")
    till.gateway.script("refund", NOTE, "decline", times=1, code="account_closed")
    till.refund(NOTE, refund=400)
    told(amount_minor=600)
    told("lost")
    owed = till.refund_row(NOTE).state

    repay_refund(till.refund_row(NOTE).pk, reference="BT-1", actor="ada", reason="r", now=till.clock.now)

    assert (owed, till.refund_row(NOTE).state) == ("failed", "repaid")


def test_f31_f34_a_refund_that_came_back_to_us_and_was_then_taken_by_the_bank(
    till: Till, told: Callable[..., None], postman: Postman
) -> None:
    till.captured("A-1")
    till.refund(NOTE, refund=1000)
    gone = till.refund_row(NOTE).provider_id
    till.gateway.happen(gone, status=RefundStatus.FAILED, failure_code="account_closed")
    postman.tell_of_refund(gone)
    postman.read()
    told()

    told("lost")

    assert (till.refund_row(NOTE).state, till.payment("A-1").refunding_minor) == ("refused", 0)
    assert till.payment("A-1").charged_back_minor == 1000


def test_a_void_that_became_a_refund_waits_and_ends_like_one(till: Till, told: Callable[..., None]) -> None:
    till.captured("A-1")
    told()
    waits = till.void("A-1")
    told("lost")

    answer = till.void("A-1")

    assert isinstance(waits, Waiting)
    assert answer == Done()
    assert (Refund.objects.get().state, refunds_there(till)) == ("refused", 0)
    assert till.story("A-1")[-1] == "RefundRefused"


def test_a_void_pays_back_what_a_bank_has_left(till: Till, told: Callable[..., None]) -> None:
    till.captured("A-1")
    told(amount_minor=400)
    told("lost")

    answer = till.void("A-1")

    assert answer == Done()
    assert (till.payment("A-1").refunded_minor, till.payment("A-1").charged_back_minor) == (600, 400)


def test_what_was_asked_of_the_provider_says_whether_it_may_be_sent_anew(
    till: Till, told: Callable[..., None]
) -> None:
    till.captured("A-1")
    till.gateway.script("refund", NOTE, "drop", times=1)
    till.refund(NOTE, refund=400)
    told()

    [begun] = till.begin([till.refund_call(NOTE, refund=400, settling=True)])

    assert isinstance(begun, Ask)
    assert (begun.call.step, begun.payload["may_pay"]) == (contract.REFUND_PAYMENT, False)
