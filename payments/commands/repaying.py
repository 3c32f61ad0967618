"""Paying back another way what the provider could not: recorded once, by a person, after the fact."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from payments.commands.refund_sheet import RefundRow, Refunds, is_taken
from payments.commands.sheet import News, Sheet
from payments.models import Payment, Refund
from sagas import operate
from sagas.engine.wake import Latecomers
from sagas.queries import is_unfinished
from sagas.verdicts import Refused

LONGEST_REFERENCE = 140


class NoSuchRefund(Refused):
    """There is no refund of that id."""

    code = "payments.no_such_refund"


class RefundNotFailed(Refused):
    """Only what the provider could not pay back is paid another way: not what it is asked about, nor what is paid."""

    code = "payments.refund_not_failed"


class PaymentInQuestion(Refused):
    """The customer's bank, or the provider, is taking the same money back: paying it too would give it twice."""

    code = "payments.payment_in_question"


class ReferenceMissing(Refused):
    """The transfer has to be found again: it needs a reference of at most 140 characters."""

    code = "payments.reference_missing"


def repay_refund(refund_id: UUID, *, reference: str, actor: str, reason: str, now: datetime) -> None:
    """Record that a failed refund was paid back another way, such as by bank transfer. It is owed no more.

    Moves no money: it has moved outside. The saga that waits for the refund, if it does, goes on at once. Decided
    under the payment's lock, so it cannot happen twice, nor while the provider is being asked or its answer is
    unknown. Publishes RefundRepaid. Raises Refused: no actor, reason or reference, no such refund, it has not
    failed, or its payment is disputed or was taken back.
    """
    if not actor.strip() or not reason.strip():
        raise operate.ReasonMissing
    if not 0 < len(reference.strip()) <= LONGEST_REFERENCE:
        raise ReferenceMissing
    with transaction.atomic():
        saga_id = _saga_of(refund_id)
        late = Latecomers([saga_id])  # the saga is locked before the payment, as everywhere
        sheet = Sheet.of_refunds([saga_id], now=now, actor=actor, reason=reason)
        refunds = Refunds(sheet, [saga_id])
        refund = refunds.by_saga[saga_id]
        _check(sheet, refund)
        news = News(late.correlation(saga_id))
        refunds.repay(refund, news, reference=reference.strip(), actor=actor.strip()[:100])
        refunds.save()
        _go_on(saga_id, actor=actor, reason=reason, now=now)


def _saga_of(refund_id: UUID) -> UUID:
    found = Refund.objects.filter(pk=refund_id).values_list("saga_id", flat=True).first()
    if found is None:
        raise NoSuchRefund(detail=str(refund_id))
    return found


def _check(sheet: Sheet, refund: RefundRow) -> None:
    if refund.state != Refund.State.FAILED or refund.payment_id is None:
        raise RefundNotFailed(detail=f"{refund.reference} is {refund.state}")
    payment = sheet.payments[refund.payment_id]
    if payment.flag == Payment.Flag.DISPUTED or is_taken(payment):
        raise PaymentInQuestion(detail=f"{refund.reference}: the payment is {payment.flag}")


def _go_on(saga_id: UUID, *, actor: str, reason: str, now: datetime) -> None:
    """Have the step look again: it finds the refund paid, and asks nobody. A saga that has ended is left alone."""
    operate.retry_now([saga_id] if is_unfinished(saga_id) else [], actor=actor, reason=reason, now=now)
