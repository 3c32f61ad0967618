"""What the provider cannot pay back is paid another way: once, by a person, and never beside the provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from payments import contract
from payments.commands.repaying import (
    NoSuchRefund,
    PaymentInQuestion,
    ReferenceMissing,
    RefundNotFailed,
    repay_refund,
)
from payments.gateways.base import RefundStatus
from payments.gateways.fake import FakeGateway
from payments.models import JournalEntry, Payment, Refund
from payments.queries import payment_detail, trial_balance
from sagas.ids import uuid7
from sagas.log import read
from sagas.operate import ReasonMissing
from sagas.steps import Ask
from sagas.verdicts import Done, Refused
from tests.conftest import Clock
from tests.payments.letters import Postman
from tests.payments.test_races import at_once
from tests.payments.till import Till, wrong_books

NOTE = "A-1/C-1"


def failed(till: Till, refund: int = 400) -> Refund:
    """A captured payment of 10.00 of which the provider could not pay a part back."""
    till.captured("A-1")
    till.gateway.script("refund", NOTE, "decline", times=1, code="account_closed")
    till.refund(NOTE, refund=refund)
    return till.refund_row(NOTE)


def repay(till: Till, refund: Refund, **changes: Any) -> None:
    """As ada would record it."""
    how = {"reference": "BT-2026-0042", "actor": "ada", "reason": "account closed, paid by transfer"}
    repay_refund(refund.pk, now=till.clock.now, **{**how, **changes})


def test_f31_what_was_paid_another_way_is_owed_no_more_and_comes_out_of_the_bank(till: Till) -> None:
    refund = failed(till)

    repay(till, refund)

    refund.refresh_from_db()
    payment, [told] = till.payment("A-1"), read(till.payment("A-1").id)[-1:]
    assert (refund.state, refund.repaid_by, refund.repaid_reference) == ("repaid", "ada", "BT-2026-0042")
    assert refund.repaid_at == till.clock.now
    assert (payment.refunding_minor, payment.refunded_minor, payment.repaid_minor) == (0, 0, 400)
    assert trial_balance() == {
        ("holds", "GBP"): 0, ("holds_contra", "GBP"): 0, ("provider_clearing", "GBP"): 1000, ("sales", "GBP"): -1000,
        ("refunds", "GBP"): 400, ("refunds_payable", "GBP"): 0, ("bank", "GBP"): -400,
    }  # fmt: skip
    assert (told.type, told.metadata["actor"]) == ("payments.RefundRepaid", "ada")
    assert told.metadata["reason"] == "account closed, paid by transfer"
    assert told.event.to_data()["reference"] == "BT-2026-0042"
    assert till.gateway.effects("A-1").get("refunds", 0) == 0


def test_f31_its_step_then_ends_as_done_and_asks_nobody(till: Till) -> None:
    refund = failed(till)
    asked = till.gateway.attempts["refund", NOTE]
    repay(till, refund)

    answer = till.refund(NOTE, refund=400)

    assert answer == Done({"refund_id": str(refund.pk), "refunded_minor": 400, "credited_minor": 0})
    assert till.gateway.attempts["refund", NOTE] == asked


def test_it_cannot_be_recorded_twice(till: Till) -> None:
    refund = failed(till)
    repay(till, refund)

    with pytest.raises(RefundNotFailed):
        repay(till, refund, reference="BT-2026-0043")

    refund.refresh_from_db()
    assert refund.repaid_reference == "BT-2026-0042"
    assert JournalEntry.objects.filter(kind="refund_repaid").count() == 1


def test_it_cannot_be_recorded_while_the_provider_is_being_asked(till: Till) -> None:
    refund = failed(till)
    [asking] = till.begin([till.refund_call(NOTE, refund=400)])

    with pytest.raises(RefundNotFailed, match="submitting"):
        repay(till, refund)

    assert isinstance(asking, Ask)
    assert till.entries("A-1")[-1] == "refund_promised"


def test_it_cannot_be_recorded_while_nobody_knows_what_the_provider_did(till: Till) -> None:
    till.captured("A-1")
    till.gateway.script("refund", NOTE, "do_then_drop")
    till.refund(NOTE, refund=400)

    with pytest.raises(RefundNotFailed, match="unknown"):
        repay(till, till.refund_row(NOTE))

    assert trial_balance()["refunds_payable", "GBP"] == -400


def test_nor_when_the_provider_has_paid(till: Till) -> None:
    till.captured("A-1")
    till.refund(NOTE, refund=400)

    with pytest.raises(RefundNotFailed, match="succeeded"):
        repay(till, till.refund_row(NOTE))


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"actor": " "}, ReasonMissing),
        ({"reason": ""}, ReasonMissing),
        ({"reference": "  "}, ReferenceMissing),
        ({"reference": "x" * 141}, ReferenceMissing),
    ],
)
def test_it_needs_a_name_a_reason_and_a_reference(
    till: Till, change: dict[str, str], refusal: type[Refused]
) -> None:
    refund = failed(till)

    with pytest.raises(refusal):
        repay(till, refund, **change)

    assert till.refund_row(NOTE).state == "failed"


def test_a_refund_nobody_has_heard_of_cannot_be_repaid(till: Till) -> None:
    with pytest.raises(NoSuchRefund):
        repay(till, Refund(pk=uuid7()))


@pytest.mark.parametrize("flag", ["disputed", "dispute_lost", "reversed"])
def test_f34_money_that_the_bank_is_taking_back_is_not_paid_beside_it(till: Till, flag: str) -> None:
    refund = failed(till)
    Payment.objects.update(flag=flag)

    with pytest.raises(PaymentInQuestion, match=flag):
        repay(till, refund)

    assert till.refund_row(NOTE).state == "failed"


def test_what_was_repaid_can_be_promised_to_nobody_else(till: Till) -> None:
    repay(till, failed(till, refund=800))

    answer = till.refund("A-1/C-2", refund=500)

    assert isinstance(answer, Done)
    assert (answer.result["refunded_minor"], answer.result["credited_minor"]) == (200, 300)


def test_the_shop_sees_it_as_refunded(till: Till) -> None:
    repay(till, failed(till))

    detail = payment_detail(till.id("A-1"), till.shop_id)

    assert detail is not None
    assert detail.refunded_minor == 400


def test_f31_a_refund_that_came_back_days_later_can_be_paid_another_way(till: Till, postman: Postman) -> None:
    till.captured("A-1")
    till.refund(NOTE, refund=400)
    gone = till.refund_row(NOTE).provider_id
    till.clock.forward(days=5)
    till.gateway.happen(gone, status=RefundStatus.FAILED, failure_code="account_closed")
    postman.tell_of_refund(gone)
    postman.read()
    before = till.refund_row(NOTE).state, till.payment("A-1").refunded_minor

    repay(till, till.refund_row(NOTE))

    assert before == ("failed", 0)
    assert till.refund_row(NOTE).state == "repaid"
    assert till.payment("A-1").repaid_minor == 400
    assert till.story("A-1")[2:] == ["PaymentRefunded", "RefundReturned", "RefundRepaid"]
    assert trial_balance()["bank", "GBP"] == -400


def test_a_provider_that_pays_after_all_is_flagged_and_nothing_is_applied(
    till: Till, postman: Postman
) -> None:
    till.captured("A-1")
    till.refund(NOTE, refund=400)
    gone = till.refund_row(NOTE).provider_id
    till.gateway.happen(gone, status=RefundStatus.FAILED, failure_code="account_closed")
    postman.tell_of_refund(gone)
    postman.read()
    repay(till, till.refund_row(NOTE))
    till.gateway.happen(gone, status=RefundStatus.SUCCEEDED, failure_code="")

    event = postman.tell_of_refund(gone, status="succeeded")
    postman.read()

    assert postman.fate(event) == "applied: mismatch"
    assert "paid another way" in till.payment("A-1").mismatch
    assert till.refund_row(NOTE).state == "repaid"


def test_a_refund_that_a_void_became_can_be_paid_another_way_too(till: Till) -> None:
    till.captured("A-1")
    till.gateway.script("refund", "A-1", "decline", times=1, code="account_closed")
    refused = till.void("A-1")
    refund = till.refund_row("A-1")

    repay(till, refund)

    assert isinstance(refused, Refused)
    assert till.void("A-1") == Done()
    assert till.gateway.effects("A-1").get("refunds", 0) == 0


@pytest.fixture
def real_till(transactional_db: None, gateway: FakeGateway, clock: Clock) -> Iterator[Till]:
    """A till with real transactions."""
    yield Till(gateway, clock)
    assert wrong_books() == []


def result_of(act: Callable[[], object]) -> Callable[[], str]:
    """What an act in a thread came to, in a word."""

    def run() -> str:
        try:
            act()
        except Refused as refused:
            return refused.code
        finally:
            connection.close()
        return "done"

    return run


@pytest.mark.parametrize("_", range(3))
def test_two_people_who_record_it_at_once_record_it_once(real_till: Till, _: int) -> None:
    refund = failed(real_till)

    words = at_once(
        result_of(lambda: repay(real_till, refund, reference="BT-1")),
        result_of(lambda: repay(real_till, refund, reference="BT-2")),
    )

    assert sorted(words) == ["done", "payments.refund_not_failed"]
    assert JournalEntry.objects.filter(kind="refund_repaid").count() == 1


@pytest.mark.parametrize("_", range(3))
def test_a_person_who_repays_and_one_who_tries_again_do_not_both_pay(real_till: Till, _: int) -> None:
    refund = failed(real_till)
    call = real_till.refund_call(NOTE, refund=400)

    words = at_once(result_of(lambda: repay(real_till, refund)), result_of(lambda: real_till.run(call)))

    repaid = real_till.refund_row(NOTE).state == "repaid"
    assert words == ["done" if repaid else "payments.refund_not_failed", "done"]
    assert real_till.gateway.effects("A-1").get("refunds", 0) == (0 if repaid else 1)
    assert call.step == contract.REFUND_PAYMENT
