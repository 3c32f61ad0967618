"""Disputes at every gateway: the fake, the sandbox over HTTP, and Stripe's official client there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payments.gateways import base
from payments.gateways.base import Dispute, DisputeReason, DisputeStatus, Intent, Page
from payments.gateways.dispute_wire import read_dispute, read_status
from payments.gateways.fake import FakeGateway
from sagas.verdicts import Refused
from tests.payments.gateway_stage import GATEWAYS, Stage, stage_of
from tests.sandbox_process import SandboxProcess, running_sandbox

Status = DisputeStatus


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--profile", "quiet") as running:
        yield running


@pytest.fixture(params=GATEWAYS)
def stage(request: pytest.FixtureRequest) -> Stage:
    return stage_of(request)


def disputed(stage: Stage, intent: Intent, word: str = "needs_response", *, amount: int = 1250) -> Dispute:
    """The bank opens a dispute, or takes it to Stripe's word; as the gateway has it then."""
    ident = f"dp_{stage.reference}"
    if isinstance(stage.gateway, FakeGateway):
        status, inquiry = read_status(word)
        if isinstance(stage.gateway.retrieve_dispute(ident), Refused):
            stage.gateway.dispute(intent.id, ident, amount_minor=amount)
        fee = {} if inquiry else {"fee_minor": 1500, "fee_currency": "GBP"}
        stage.gateway.happen(ident, status=status, inquiry=inquiry, **fee)
    else:
        stage.provider.control(  # type: ignore[attr-defined]
            "POST", "/sandbox/doings",
            {"what": "dispute", "intent": intent.id, "id": ident, "status": word, "amount": amount},
        )  # fmt: skip
    found = stage.gateway.retrieve_dispute(ident)
    assert isinstance(found, Dispute), found
    return found


def test_f34_a_dispute_is_told_with_its_amount_its_reason_and_its_date(stage: Stage) -> None:
    intent = stage.captured()

    dispute = disputed(stage, intent, amount=500)

    assert (dispute.status, dispute.inquiry, dispute.intent_id) == (Status.NEEDS_RESPONSE, False, intent.id)
    assert (dispute.amount_minor, dispute.currency, dispute.reason) == (500, "GBP", DisputeReason.FRAUD)
    assert (dispute.fee_minor, dispute.fee_currency) == (1500, "GBP")
    assert dispute.evidence_due_by is not None
    assert dispute.evidence_due_by - dispute.opened_at >= timedelta(days=6)


@pytest.mark.parametrize(
    ("word", "status", "inquiry"),
    [
        ("warning_needs_response", Status.NEEDS_RESPONSE, True),
        ("warning_under_review", Status.UNDER_REVIEW, True),
        ("warning_closed", Status.WON, True),
        ("under_review", Status.UNDER_REVIEW, False),
        ("won", Status.WON, False),
        ("lost", Status.LOST, False),
    ],
)
def test_it_goes_on_under_its_id(stage: Stage, word: str, status: DisputeStatus, inquiry: bool) -> None:
    intent = stage.captured()
    first = disputed(stage, intent, "warning_needs_response" if inquiry else "needs_response")

    after = disputed(stage, intent, word)

    assert after.id == first.id
    assert (after.status, after.inquiry) == (status, inquiry)
    assert after.amount_minor == 1250


@pytest.mark.parametrize("word", ["needs_response", "under_review", "lost"])
def test_nothing_goes_back_of_what_the_bank_is_after(stage: Stage, word: str) -> None:
    intent = stage.captured()
    disputed(stage, intent, word)

    answer = stage.gateway.refund(stage.refunding(intent, 100))

    assert isinstance(answer, Refused)
    assert answer.code == base.CHARGE_DISPUTED
    assert stage.happened("refunds") == 0


@pytest.mark.parametrize("word", ["warning_needs_response", "won"])
def test_what_is_only_asked_or_was_won_can_be_paid_back(stage: Stage, word: str) -> None:
    intent = stage.captured()
    disputed(stage, intent, word)

    answer = stage.gateway.refund(stage.refunding(intent, 1250))

    assert stage.a_refund(answer).amount_minor == 1250


def test_what_was_lost_in_part_leaves_the_rest_to_be_paid_back(stage: Stage) -> None:
    intent = stage.captured()
    disputed(stage, intent, amount=500)
    disputed(stage, intent, "lost", amount=500)

    too_much = stage.gateway.refund(stage.refunding(intent, 751))
    rest = stage.gateway.refund(stage.refunding(intent, 750))

    assert isinstance(too_much, Refused)
    assert too_much.code == base.REFUND_TOO_LARGE
    assert stage.a_refund(rest).amount_minor == 750


def test_disputes_are_listed_newest_first_page_by_page(stage: Stage) -> None:
    first = disputed(stage, stage.captured())
    other = Stage(stage.gateway, stage.provider)
    second = disputed(other, other.captured())

    page = stage.gateway.list_disputes(limit=1)
    assert isinstance(page, Page)
    rest = stage.gateway.list_disputes(after=page.next, limit=1)

    assert isinstance(rest, Page)
    assert [one.id for one in (*page.items, *rest.items)] == [second.id, first.id]


def test_a_dispute_nobody_has_heard_of(stage: Stage) -> None:
    answer = stage.gateway.retrieve_dispute("dp_none")

    assert isinstance(answer, Refused)
    assert answer.code == base.NOT_FOUND


#: As Stripe sends it, https://docs.stripe.com/api/disputes/object.
STRIPES: dict[str, Any] = {
    "id": "du_1MtJUT2eZvKYlo2CNaw2HvEv", "object": "dispute", "amount": 1000,
    "balance_transactions": [
        {"id": "txn_1", "object": "balance_transaction", "amount": -1000, "currency": "usd", "fee": 1500, "net": -2500},
        {"id": "txn_2", "object": "balance_transaction", "amount": 1000, "currency": "usd", "fee": -500, "net": 1500},
    ],
    "charge": "ch_1AZtxr2eZvKYlo2CJDX8whov", "created": 1680651737, "currency": "usd", "evidence": {},
    "evidence_details": {"due_by": 1682294399, "has_evidence": False, "past_due": False, "submission_count": 0},
    "is_charge_refundable": True, "livemode": False, "metadata": {}, "payment_intent": {"id": "pi_1", "object": "x"},
    "reason": "product_not_received", "status": "warning_needs_response",
}  # fmt: skip


def test_stripes_own_example_is_read() -> None:
    assert read_dispute(STRIPES) == Dispute(
        id="du_1MtJUT2eZvKYlo2CNaw2HvEv", status=Status.NEEDS_RESPONSE, inquiry=True, intent_id="pi_1",
        amount_minor=1000, currency="USD", reason=DisputeReason.NOT_RECEIVED,
        opened_at=datetime(2023, 4, 4, 23, 42, 17, tzinfo=UTC),
        evidence_due_by=datetime(2023, 4, 23, 23, 59, 59, tzinfo=UTC), fee_minor=1000, fee_currency="USD",
    )  # fmt: skip


def test_what_it_leaves_out_is_left_out() -> None:
    bare = {
        **STRIPES,
        "balance_transactions": None,
        "evidence_details": None,
        "payment_intent": None,
        "reason": "?",
    }

    dispute = read_dispute(bare)

    assert (dispute.fee_minor, dispute.fee_currency, dispute.evidence_due_by) == (0, "", None)
    assert (dispute.intent_id, dispute.reason) == ("", DisputeReason.OTHER)


def test_prevented_is_an_inquiry_that_came_to_nothing() -> None:
    assert read_status("prevented") == (Status.WON, True)


@pytest.mark.parametrize("word", ["closed", "warning_lost", "settled", ""])
def test_f22_a_status_nobody_knows_is_not_guessed(word: str) -> None:
    with pytest.raises(ValueError, match="unknown status"):
        read_status(word)
