"""Money on its way back, promised under the payment's lock: two refunds never promise the same money."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from payments.commands.attempts import Outcome
from payments.commands.refund_sheet import (
    RefundRow,
    Refunds,
    disputed,
    is_taken,
    order_of,
    result_of,
)
from payments.commands.sheet import PaymentRow, Sheet
from payments.gateways.base import REFUND_FAILED
from payments.models import Payment, Refund
from sagas.steps import StepCall
from sagas.verdicts import Answer, Refused, Unavailable

State = Refund.State


def begin_refunds(calls: Sequence[StepCall]) -> list[RefundRow | Answer]:
    """Promise what each call wants back, in the order of the calls. Safe to repeat: one refund per saga.

    What is not captured, or was given back before, becomes customer credit; where nothing was ever captured,
    nothing is owed but what the call itself says is to be credited. Answers the refund when the provider has
    to be asked.
    """
    sheet = Sheet.of_orders([order_of(c) for c in calls], now=calls[0].now)
    refunds = Refunds(sheet, [c.saga_id for c in calls])
    begun = [_begin(refunds, call) for call in calls]
    refunds.save()
    return begun


def _begin(refunds: Refunds, call: StepCall) -> RefundRow | Answer:
    refund = refunds.by_saga.get(call.saga_id)
    if refund is None:
        payments = [p for p in refunds.sheet.payments.values() if p.order_id == order_of(call)]
        if any(
            p.state == Payment.State.CAPTURING or p.unknown_of == Payment.Operation.CAPTURE for p in payments
        ):
            return Unavailable("payments.unsettled", detail="the capture is not settled yet")
        if any(p.flag == Payment.Flag.DISPUTED for p in payments):
            return disputed(call)
        if any(p.captured_minor and p.currency != call.currency for p in payments):
            return Refused("payments.currency_differs", detail=f"asked for {call.currency}")
        refund = _promise(refunds, call, payments)
    return go_on(refunds, refund, call)


def go_on(  # noqa: PLR0911 - one per way on
    refunds: Refunds, refund: RefundRow, call: StepCall
) -> RefundRow | Answer:
    """What comes next of a refund that was begun: its end, a wait, or the refund if the provider has to be asked.

    While a bank decides about its payment nothing is sent, and afterwards only what the payment still covers. What
    may have been sent before is asked after all the same.
    """
    if refund.over:
        return result_of(refund)
    if refund.returned_at is not None:
        return Refused(REFUND_FAILED, refund.code)
    if refund.payment_id is None:
        return refund
    payment = refunds.sheet.payments[refund.payment_id]
    waits, gone = payment.flag == Payment.Flag.DISPUTED, is_taken(payment)
    if call.settling or refund.state == State.UNKNOWN:
        refund.may_pay = not (waits or gone)
        return refund
    if waits:
        return disputed(call)
    if gone and refunds.refuse(refund, call):
        return result_of(refund)
    refunds.try_again(refund)
    return refund


def _promise(refunds: Refunds, call: StepCall, payments: Sequence[PaymentRow]) -> RefundRow:
    wanted, credit_minor = int(call.input["refund_minor"]), int(call.input["credit_minor"])
    captured = [p for p in payments if p.captured_minor]
    if not captured:
        return refunds.promise(call, None, amount=0, credit_minor=credit_minor)
    payment = max(captured, key=lambda p: p.refundable_minor)
    if wanted and is_taken(payment, wanted):
        return refunds.promise_rest(call, payment, wanted=wanted, credit_minor=credit_minor)
    amount = min(wanted, payment.refundable_minor)
    return refunds.promise(call, payment, amount=amount, credit_minor=credit_minor + wanted - amount)


def record_refunds(answers: Sequence[tuple[StepCall, Outcome]], *, now: datetime) -> list[Outcome]:
    """Store what the provider said. Safe to repeat. What failed stays promised: it is still owed."""
    sagas = [call.saga_id for call, _ in answers]
    refunds = Refunds(Sheet.of_refunds(sagas, now=now), sagas)
    outcomes = [refunds.record(call, outcome) for call, outcome in answers]
    refunds.save()
    return outcomes
