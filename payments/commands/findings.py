"""What the provider has, found out by asking when no step was at work: written down as it is, in one transaction.

Sagas are locked before payments, as everywhere. What cannot be is flagged for a person and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from payments import contract
from payments.commands import attempts, ledger
from payments.commands.captures import captured, expired
from payments.commands.disputes import CannotBe, Disputes, owed_refunds
from payments.commands.refund_sheet import RefundRow, Refunds
from payments.commands.settling import Alone
from payments.commands.shares import Shares, end_hold
from payments.commands.sheet import News, PaymentRow, Sheet
from payments.commands.voids import released
from payments.gateways import base
from payments.gateways.base import IntentStatus, RefundStatus
from payments.models import Payment, Refund
from sagas.engine.wake import Latecomers
from sagas.sql import rows
from sagas.verdicts import Refused

State = Payment.State
Operation = Payment.Operation

MISMATCH, MOVED_MEANWHILE = "mismatch", "moved_meanwhile"
#: Refunds of these payments that a gateway's object may be: by its id, or by our reference while they have none.
REFUNDS_MEANT = """
SELECT r.saga_id FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
 WHERE p.saga_id = ANY(%s::uuid[])
   AND (r.provider_id = ANY(%s::text[]) OR (r.provider_id = '' AND r.reference = ANY(%s::text[])))
"""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found out about one payment: its intent, one of its refunds or disputes, or a word that makes no sense.

    `place` is where our payment stood before the provider was asked: what it said is worth nothing once the row has
    moved. `share_saga` is the saga of its open share, if that is to be settled here.
    """

    saga_id: UUID
    intent: base.Intent | None = None
    refund: base.Refund | None = None
    place: tuple[str, int] | None = None
    nonsense: str = ""
    dispute: base.Dispute | None = None
    share_saga: UUID | None = None


def record_findings(findings: Sequence[Finding], *, now: datetime) -> list[str]:
    """Bring our rows to where the provider stands; one word each for what was done. Safe to repeat, in any order.

    A hold that we gave up is kept, and its undo made due again. Publishes what changed, or PaymentFlagged.
    """
    sagas = {f.saga_id for f in findings}
    owed = owed_refunds({f.saga_id for f in findings if f.dispute})
    of_shares = {f.share_saga for f in findings if f.share_saga}
    late = Latecomers(sagas.union(owed, of_shares))
    sheet = Sheet.of_sagas(sagas, now=now)
    refunds = Refunds(sheet, [*_refunds_meant(sagas, [f.refund for f in findings if f.refund]), *owed])
    recorder = _Recorder(sheet, refunds, late, of_shares)
    words = [recorder.record(finding) for finding in findings]
    recorder.shares.write()
    refunds.save()
    late.save()
    recorder.disputes.save(now=now)
    return words


def _refunds_meant(sagas: Collection[UUID], told: Sequence[base.Refund]) -> list[UUID]:
    """The sagas of our refunds that these may be. Our row is there before the gateway hears of a refund."""
    if not told:
        return []
    found = rows(REFUNDS_MEANT, [list(sagas), [r.id for r in told], [r.reference for r in told]])
    return [saga for (saga,) in found]


class _Recorder:
    def __init__(self, sheet: Sheet, refunds: Refunds, late: Latecomers, of_shares: Collection[UUID]) -> None:
        self.sheet, self.refunds, self.late = sheet, refunds, late
        self.disputes = Disputes(sheet, refunds)
        self.shares = Shares(sheet)
        self.alone = Alone(self.shares, late, of_shares)

    def record(self, finding: Finding) -> str:
        payment = self.sheet.by_saga[finding.saga_id]
        news = News(self.late.correlation(finding.saga_id))
        if finding.place not in (None, (payment.state, payment.version)):
            return MOVED_MEANWHILE
        if finding.nonsense:
            return self._cannot_be(payment, finding.nonsense, news)
        if finding.dispute is not None:
            return self._disputed(payment, finding.dispute, news)
        if finding.refund is not None:
            return self._refund(payment, finding.refund, news)
        return self._intent(payment, finding.intent, news) if finding.intent else "nothing_found"

    # --- the payment itself ------------------------------------------------------------------------------

    def _intent(  # noqa: PLR0911 - one per status
        self, payment: PaymentRow, intent: base.Intent, news: News
    ) -> str:
        asked = (payment.provider_id, payment.amount_minor, payment.currency)
        told = (intent.id, intent.amount_minor, intent.currency)
        if told != asked:
            return self._cannot_be(payment, f"asked for {asked}, told of {told}", news)
        if payment.id in self.shares.open:
            return self._open_share(payment, intent, news)
        match intent.status:
            case IntentStatus.AUTHORIZED | IntentStatus.CAPTURED if payment.captured_minor:
                return self._shared(payment, intent, news)
            case IntentStatus.AUTHORIZED:
                return self._held(payment, intent, news)
            case IntentStatus.CAPTURED:
                return self._captured(payment, intent, news)
            case IntentStatus.VOIDED | IntentStatus.DECLINED:
                return self._gone(payment, intent, news)
            case _:
                return "undecided"

    def _open_share(self, payment: PaymentRow, intent: base.Intent, news: News) -> str:
        settled = self.alone.settle(payment, intent)
        return self._cannot_be(payment, settled.trouble, news) if settled.trouble else settled.word

    def _held(self, payment: PaymentRow, intent: base.Intent, news: News) -> str:
        if intent.capturable_minor != payment.amount_minor:
            return self._cannot_be(payment, f"{intent.capturable_minor} held of {payment.amount_minor}", news)
        if _is_asked_for(payment):
            attempts.authorized(self.sheet, payment, news, _facts(intent))
            return "authorized"
        if payment.state in (State.VOIDED, State.DECLINED) and not payment.authorized_minor:
            payment.released_at = None
            given = attempts.authorized(self.sheet, payment, news, _facts(intent))
            self.late.succeeded(payment.saga_id, contract.AUTHORIZE_PAYMENT, given)
            return "late_success"
        if payment.state in Payment.FINAL:
            return self._cannot_be(payment, f"still held, though {payment.state}", news)
        if intent.expires_at not in (None, payment.expires_at):
            self.sheet.change(payment).expires_at = intent.expires_at
        return "known"

    def _captured(self, payment: PaymentRow, intent: base.Intent, news: News) -> str:
        if intent.captured_minor != payment.amount_minor:
            words = f"{intent.captured_minor} captured of {payment.amount_minor}"
            return self._cannot_be(payment, words, news)
        if payment.state == State.CAPTURED:
            return "known"
        if payment.state in Payment.FINAL:
            return self._cannot_be(payment, f"captured, though {payment.state}", news)
        if _is_asked_for(payment):
            attempts.authorized(self.sheet, payment, news, {"provider_id": intent.id})
        captured(self.sheet, payment, news, {"amount_minor": intent.captured_minor})
        return "captured"

    def _shared(self, payment: PaymentRow, intent: base.Intent, news: News) -> str:
        """Some of it is ours, and no share is under way: what was captured is what we captured."""
        if intent.captured_minor != payment.captured_minor:
            words = f"{intent.captured_minor} captured, {payment.captured_minor} by us"
            return self._cannot_be(payment, words, news)
        closed = intent.status == IntentStatus.CAPTURED
        if closed and payment.state != State.CAPTURED:
            end_hold(self.sheet, payment, news)
            return "rest_released"
        if not closed and payment.state == State.CAPTURED:
            return self._cannot_be(payment, f"still held, though {payment.state}", news)
        return "known"

    def _gone(self, payment: PaymentRow, intent: base.Intent, news: News) -> str:
        """The provider holds nothing and has taken nothing."""
        if payment.state == State.CAPTURED:
            return self._reversed(payment, intent, news) if payment.captured_minor else "known"
        if payment.state in Payment.FINAL:
            return "known"
        if payment.captured_minor:
            return self._cannot_be(payment, f"{intent.status}, though {payment.state}", news)
        if _is_asked_for(payment):
            voided = intent.status == IntentStatus.VOIDED
            no = Refused(base.ALREADY_VOIDED) if voided else Refused(base.DECLINED, intent.decline_code)
            attempts.not_authorized(self.sheet, payment, news, no)
            return "declined"
        if payment.state == State.VOIDING or payment.unknown_of == Operation.VOID:
            released(self.sheet, payment, news)
            return "voided"
        expired(self.sheet, payment, news)
        return "expired"

    def _reversed(self, payment: PaymentRow, intent: base.Intent, news: News) -> str:
        """F25: it was captured, and later was not."""
        if payment.reversed_minor:
            return "known"
        amount = payment.captured_minor
        self.sheet.change(payment).reversed_minor = amount
        payment.flag = Payment.Flag.REVERSED
        self.sheet.book(payment, ledger.Kind.CAPTURE_REVERSED, ledger.capture_reversed(amount))
        code = intent.decline_code[:100] or str(intent.status)
        self.sheet.tell(payment, contract.CaptureReversed, amount, news, code=code)
        return "reversed"

    # --- what stands beside it ---------------------------------------------------------------------------

    def _refund(self, payment: PaymentRow, told: base.Refund, news: News) -> str:
        ours = [r for r in self.refunds.by_saga.values() if r.payment_id == payment.id]
        unnamed = (r for r in ours if not r.provider_id and r.reference == told.reference)
        refund = next((r for r in ours if r.provider_id == told.id), None) or next(unnamed, None)
        gone = told.status in (RefundStatus.SUCCEEDED, RefundStatus.PENDING)
        if refund is None:
            words = f"{told.amount_minor} given back as {told.id}, not by us"
            return self._cannot_be(payment, words, news) if gone else "not_ours"
        asked = (refund.intent_id, refund.amount_minor, refund.currency)
        is_ = (told.intent_id, told.amount_minor, told.currency)
        if asked != is_:
            return self._cannot_be(payment, f"asked to give back {asked}, told of {is_}", news)
        return self._our_refund(payment, refund, told, news)

    def _our_refund(self, payment: PaymentRow, refund: RefundRow, told: base.Refund, news: News) -> str:
        failed = told.status in (RefundStatus.FAILED, RefundStatus.CANCELLED)
        if refund.state in Refund.ENDED:
            return self._our_ended_refund(payment, refund, told, news, failed=failed)
        if told.status != RefundStatus.SUCCEEDED:
            return "undecided"
        self.refunds.settle(refund, news, told.id)
        return "refunded"

    def _our_ended_refund(
        self, payment: PaymentRow, refund: RefundRow, told: base.Refund, news: News, *, failed: bool
    ) -> str:
        """What had gone back may come back. What is owed, or was paid another way, does not go back by itself."""
        if refund.state == Refund.State.SUCCEEDED and failed:
            self.refunds.take_back(refund, news, told.failure_code or str(told.status))
            return "refund_returned"
        if refund.state == Refund.State.REPAID and not failed:
            return self._cannot_be(payment, f"{told.id} has gone back, though it was paid another way", news)
        if refund.returned_at is not None and not failed:
            return self._cannot_be(payment, f"{told.id} has gone back, though it had come back", news)
        return "known"

    def _disputed(self, payment: PaymentRow, told: base.Dispute, news: News) -> str:
        """F34."""
        try:
            return self.disputes.told(payment, told, news)
        except CannotBe as wrong:
            return self._cannot_be(payment, str(wrong), news)

    def _cannot_be(self, payment: PaymentRow, words: str, news: News) -> str:
        """F22: nothing is applied. Told once for the same words."""
        if payment.mismatch == words[:200]:
            return MISMATCH
        self.sheet.change(payment).mismatch = words[:200]
        self._flagged(payment, MISMATCH, words[:200], news)
        return MISMATCH

    def _flagged(self, payment: PaymentRow, flag: str, said: str, news: News) -> None:
        fact = {"flag": flag, "said": said}
        self.sheet.tell(payment, contract.PaymentFlagged, payment.amount_minor, news, **fact)


def _facts(intent: base.Intent) -> dict[str, Any]:
    return {"provider_id": intent.id, "expires_at": intent.expires_at}


def _is_asked_for(payment: PaymentRow) -> bool:
    """Whether it is not known yet that anything is held."""
    asked = payment.unknown_of in (Operation.CREATE, Operation.AUTHORIZE)
    return asked or payment.state in attempts.OPEN_STATES
