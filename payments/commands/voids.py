"""Letting a hold go. If it turns out that the money was captured after all, it is given back instead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from payments import contract
from payments.commands import ledger
from payments.commands.attempts import Outcome, open_payments, unknown
from payments.commands.captures import captured
from payments.commands.refund_sheet import RefundRow, Refunds, disputed, is_taken
from payments.commands.refunds import go_on
from payments.commands.sheet import Cause, PaymentRow, Sheet
from payments.models import Payment
from sagas.steps import Continue, NotDone, StepCall
from sagas.verdicts import Answer, Done, Refused, Unavailable, Unknown, Waiting

State = Payment.State
Operation = Payment.Operation

#: From here a void goes to the provider, if the provider knows the payment at all.
VOIDABLE = {
    State.CREATED, State.AUTHORIZING, State.REQUIRES_ACTION, State.AUTHORIZED, State.CAPTURE_FAILED,
}  # fmt: skip
GONE = {State.VOIDED, State.DECLINED, State.EXPIRED}
PARTLY_CAPTURED = "payments.partly_captured"


def begin_voids(calls: Sequence[StepCall]) -> list[PaymentRow | RefundRow | Answer]:
    """Take each payment out of the reach of captures. Safe to repeat, and before anything was authorized.

    A payment the provider has never heard of is voided here alone: its row is the tombstone at which a late
    authorization stops. Answers the payment or its refund where the provider has to be asked.
    """
    fresh = {payment.saga_id for payment in open_payments(calls, State.VOIDED)}
    sheet = Sheet.of_sagas([c.saga_id for c in calls], now=calls[0].now)
    voidable = [p for p in sheet.by_saga.values() if p.state in VOIDABLE and p.provider_id]
    sheet.move_all(voidable, State.VOIDING)
    refunds = Refunds(sheet, [p.saga_id for p in sheet.by_saga.values() if p.state == State.CAPTURED])
    for call in calls:
        if call.saga_id in fresh:
            sheet.tell(sheet.by_saga[call.saga_id], contract.PaymentVoided, 0, call)
    begun = [_begin(refunds, call) for call in calls]
    refunds.save()
    return begun


def _begin(refunds: Refunds, call: StepCall) -> PaymentRow | RefundRow | Answer:
    payment = refunds.sheet.by_saga[call.saga_id]
    if payment.state in GONE:
        return Done()
    if payment.state == State.CAPTURED:
        return _give_back(refunds, call, payment)
    if payment.state in (State.PARTLY_CAPTURED, State.RELEASING):
        return Refused(PARTLY_CAPTURED)  # shares of it were shipped for
    if payment.state == State.CAPTURING:
        return Unavailable(
            "payments.capture_in_flight"
        )  # it moved first: its outcome decides what is given back
    if not payment.provider_id:
        released(refunds.sheet, payment, call)
        return Done()
    return payment


def _give_back(refunds: Refunds, call: StepCall, payment: PaymentRow) -> RefundRow | Answer:
    """Pay back all that is still there. Done: nothing is to be paid, or it is through."""
    refund = refunds.by_saga.get(call.saga_id)
    if refund is None:
        wanted = payment.left_minor + payment.taken_minor
        if wanted <= 0:
            return Done()
        if payment.flag == Payment.Flag.DISPUTED:
            return disputed(call)
        if is_taken(payment, wanted):
            refund = refunds.promise_rest(call, payment, wanted=wanted, credit_minor=0)
        else:
            refund = refunds.promise(call, payment, amount=wanted, credit_minor=0)
    if refund.over or refund.returned_at is not None:
        return Done()
    answer = go_on(refunds, refund, call)
    return Done() if isinstance(answer, Done) else answer


def record_voids(answers: Sequence[tuple[StepCall, Outcome]], *, now: datetime) -> list[Outcome]:
    """Store what the provider said. Safe to repeat.

    `Continue` says that it had captured: the capture is booked, its refund promised, and it is asked again.
    """
    sheet = Sheet.of_sagas([call.saga_id for call, _ in answers], now=now)
    refunds = Refunds(sheet, [p.saga_id for p in sheet.by_saga.values() if p.state == State.CAPTURED])
    outcomes = [_record(refunds, call, outcome) for call, outcome in answers]
    refunds.save()
    return outcomes


def _record(refunds: Refunds, call: StepCall, outcome: Outcome) -> Outcome:
    payment = refunds.sheet.by_saga[call.saga_id]
    if isinstance(outcome, Continue):
        return _captured_after_all(refunds, call, payment, outcome)
    if payment.state == State.CAPTURED:
        return _refunded(refunds, call, outcome)
    if payment.state not in GONE:
        _record_void(refunds.sheet, payment, call, outcome)
    return Done() if isinstance(outcome, Done) else outcome


def _record_void(sheet: Sheet, payment: PaymentRow, call: StepCall, outcome: Outcome) -> None:
    match outcome:
        case Done():
            released(sheet, payment, call)
        case Unknown() | Waiting():
            unknown(sheet, payment, call, Operation.VOID, outcome)
        case _ if payment.state == State.UNKNOWN:
            sheet.move(payment, State.VOIDING)  # an answer at last: it still holds the money


def _captured_after_all(refunds: Refunds, call: StepCall, payment: PaymentRow, answer: Continue) -> Outcome:
    captured(refunds.sheet, payment, call, {"amount_minor": answer.memo["captured_minor"]})
    refund = _give_back(refunds, call, payment)
    if not isinstance(refund, RefundRow):
        return refund
    return Continue({**answer.memo, "refund_minor": refund.amount_minor, "failures": refund.failures})


def _refunded(refunds: Refunds, call: StepCall, outcome: Outcome) -> Outcome:
    if call.saga_id not in refunds.by_saga:
        return outcome
    outcome = refunds.record(call, outcome)
    if isinstance(outcome, NotDone):
        return Unavailable("payments.refund_not_done")  # an undo is tried again, not given up
    return Done() if isinstance(outcome, Done) else outcome


def released(sheet: Sheet, payment: PaymentRow, call: Cause) -> None:
    """Nothing is held any more, or never was."""
    sheet.move(payment, State.VOIDED)
    payment.released_at = sheet.now if payment.provider_id else None
    sheet.book(payment, ledger.Kind.RELEASE, ledger.release(payment.authorized_minor))
    sheet.tell(payment, contract.PaymentVoided, payment.authorized_minor, call)
