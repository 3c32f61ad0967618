"""F34 on real transactions: the bank and a refund at the same moment. The payment's row decides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.db import transaction

from payments.commands.findings import Finding, record_findings
from payments.commands.repaying import PaymentInQuestion, repay_refund
from payments.gateways.base import Dispute as TheirDispute
from payments.gateways.base import DisputeStatus
from payments.gateways.fake import FakeGateway
from payments.models import Dispute, Payment, Refund
from payments.queries import trial_balance
from sagas.steps import Ask
from sagas.verdicts import Answer, Refused, Waiting
from tests.conftest import Clock
from tests.payments.test_races import at_once
from tests.payments.till import Till, wrong_books

ROUNDS = range(4)
NOTE = "A-1/C-1"


@pytest.fixture
def till(transactional_db: None, gateway: FakeGateway, clock: Clock) -> Iterator[Till]:
    """A till with real transactions."""
    yield Till(gateway, clock)
    assert wrong_books() == []


def told(till: Till, dispute: TheirDispute) -> list[str]:
    """What the gateway has of it is written down, as a reader of webhooks does."""
    finding = Finding(saga_id=till.payment("A-1").saga_id, dispute=dispute)
    with transaction.atomic():
        return record_findings([finding], now=till.clock.now)


@pytest.mark.parametrize("_", ROUNDS)
def test_f34_a_dispute_while_a_refund_is_claimed(till: Till, _: int) -> None:
    till.captured("A-1")
    dispute = till.gateway.dispute("pi_1", "dp_1")

    begun, word = at_once(
        lambda: till.begin([till.refund_call(NOTE, refund=400)])[0], lambda: told(till, dispute)
    )

    payment = till.payment("A-1")
    assert word == ["disputed"]
    assert (payment.flag, payment.disputed_minor) == ("disputed", 1000)
    if isinstance(begun, Ask):  # it was claimed first; the provider refuses it, and it waits
        [answer] = till.record([(begun.call, till.ask(begun))])
        assert payment.refunding_minor == 400
    else:
        answer = begun
        assert payment.refunding_minor == 0
    assert isinstance(answer, Waiting)
    assert (answer.code, till.gateway.effects("A-1").get("refunds", 0)) == ("payments.disputed", 0)


@pytest.mark.parametrize("_", ROUNDS)
def test_f34_a_loss_while_a_refund_that_waited_looks_again(till: Till, _: int) -> None:
    till.captured("A-1")
    told(till, till.gateway.dispute("pi_1", "dp_1"))
    till.gateway.happen("dp_1", status=DisputeStatus.LOST)
    lost = till.gateway.retrieve_dispute("dp_1")
    assert isinstance(lost, TheirDispute)

    answer, word = at_once(lambda: till.refund(NOTE, refund=400), lambda: told(till, lost))
    again: Answer = till.refund(NOTE, refund=400)

    assert word == ["dispute_lost"]
    assert isinstance(answer, Waiting) or answer == again
    assert (till.refund_row(NOTE).state, till.payment("A-1").refunding_minor) == ("refused", 0)
    assert till.gateway.effects("A-1").get("refunds", 0) == 0


@pytest.mark.parametrize("_", ROUNDS)
def test_f17_the_same_news_on_two_workers_is_applied_once(till: Till, _: int) -> None:
    till.captured("A-1")
    dispute = till.gateway.dispute("pi_1", "dp_1", fee_minor=1500, fee_currency="GBP")

    words = at_once(*[lambda: told(till, dispute)] * 4)

    assert sorted(words) == [["disputed"], ["known"], ["known"], ["known"]]
    assert Dispute.objects.count() == 1
    assert till.story("A-1")[2:] == ["DisputeOpened"]
    assert trial_balance()["provider_fees", "GBP"] == 1500


@pytest.mark.parametrize("_", ROUNDS)
def test_f34_a_stale_answer_beside_the_end_changes_nothing(till: Till, _: int) -> None:
    till.captured("A-1")
    stale = till.gateway.dispute("pi_1", "dp_1")
    till.gateway.happen("dp_1", status=DisputeStatus.WON, evidence_due_by=datetime(2026, 2, 1, tzinfo=UTC))
    ended = till.gateway.retrieve_dispute("dp_1")
    assert isinstance(ended, TheirDispute)

    at_once(lambda: told(till, stale), lambda: told(till, ended), lambda: told(till, stale))

    assert Dispute.objects.get().state == "won"
    assert (till.payment("A-1").flag, till.payment("A-1").mismatch) == ("", "")
    assert till.story("A-1")[2:] == ["DisputeOpened", "DisputeClosed"]


@pytest.mark.parametrize("_", ROUNDS)
def test_f31_f34_the_bank_takes_it_while_a_person_pays_it_another_way(till: Till, _: int) -> None:
    till.captured("A-1")
    till.gateway.script("refund", NOTE, "decline", times=1, code="account_closed")
    till.refund(NOTE, refund=400)
    till.gateway.dispute("pi_1", "dp_1", status=DisputeStatus.LOST)
    lost = till.gateway.retrieve_dispute("dp_1")
    assert isinstance(lost, TheirDispute)

    def repay() -> str:
        try:
            repay_refund(
                till.refund_row(NOTE).pk, reference="BT-1", actor="ada", reason="r", now=till.clock.now
            )
        except (PaymentInQuestion, Refused):
            return "too late"
        return "repaid"

    repaid, _word = at_once(repay, lambda: told(till, lost))

    state = Refund.objects.get().state
    assert (repaid, state) in {("repaid", "repaid"), ("too late", "refused")}
    assert Payment.objects.get().refunding_minor == 0
    assert trial_balance()["refunds_payable", "GBP"] == 0
