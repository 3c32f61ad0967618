"""Taking the money. Whoever moves the row out of authorized first wins: a capture, or a void."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from payments import contract
from payments.commands import ledger
from payments.commands.attempts import VOIDED, WAS_AUTHORIZED, Outcome, bank_code, note_authorization, unknown
from payments.commands.sheet import Cause, PaymentRow, Sheet
from payments.gateways.base import CAPTURE_FAILED, DECLINED, NOT_AUTHORIZED
from payments.models import Payment
from sagas.steps import NotDone, StepCall
from sagas.verdicts import Answer, Done, Refused, Unavailable, Unknown, Waiting

State = Payment.State
Operation = Payment.Operation

EXPIRED = "payments.authorization_expired"
RENEWED = "payments.authorization_renewed"

#: Why a payment in this state cannot be captured any more.
CLOSED = {
    State.VOIDING: VOIDED,
    State.VOIDED: VOIDED,
    State.EXPIRED: EXPIRED,
    State.DECLINED: DECLINED,
    State.CREATED: NOT_AUTHORIZED,
    State.AUTHORIZING: NOT_AUTHORIZED,
}


def begin_captures(calls: Sequence[StepCall]) -> list[PaymentRow | Answer]:
    """Move what is authorized to capturing. Safe to repeat.

    Answers the payment when the provider has to be asked. A payment that a void took first refuses.
    """
    now = calls[0].now
    sheet = Sheet.of_sagas([c.saga_id for c in calls], now=now)
    sheet.move_all([p for p in sheet.by_saga.values() if p.state == State.AUTHORIZED], State.CAPTURING)
    begun = [_begin(sheet, call) for call in calls]
    sheet.save()
    return begun


def _begin(sheet: Sheet, call: StepCall) -> PaymentRow | Answer:
    payment = sheet.by_saga.get(call.saga_id)
    if payment is None:
        return Refused(NOT_AUTHORIZED)
    if payment.state in CLOSED:
        return Refused(CLOSED[State(payment.state)])
    if payment.state == State.CAPTURE_FAILED:
        return Refused(CAPTURE_FAILED, payment.code)
    if payment.state == State.CAPTURED or payment.amount_minor == 0:
        return captured(sheet, payment, call, {"amount_minor": payment.amount_minor})
    if payment.state == State.UNKNOWN and payment.unknown_of != Operation.CAPTURE:
        return Unavailable("payments.unsettled", detail=f"{payment.unknown_of} is unknown")
    return payment


def record_captures(answers: Sequence[tuple[StepCall, Outcome]], *, now: datetime) -> list[Outcome]:
    """Store what the provider said. Safe to repeat; a late success is kept wherever the row stands."""
    sheet = Sheet.of_sagas([call.saga_id for call, _ in answers], now=now)
    outcomes = [_record(sheet, call, outcome) for call, outcome in answers]
    sheet.save()
    return outcomes


def _record(sheet: Sheet, call: StepCall, outcome: Outcome) -> Outcome:
    payment = sheet.by_saga[call.saga_id]
    if (
        isinstance(outcome, Refused)
        and outcome.code == EXPIRED
        and outcome.detail not in ("", payment.provider_id)
    ):
        return Unavailable(RENEWED)  # it ran out, and the payment goes by another hold since
    if isinstance(outcome, Done):
        _go_by(sheet, payment, str(outcome.result.get("provider_id", "")))
        return captured(sheet, payment, call, outcome.result)
    if payment.state == State.CAPTURING or payment.unknown_of == Operation.CAPTURE:
        _not_captured(sheet, payment, call, outcome)
    return outcome


def _go_by(sheet: Sheet, payment: PaymentRow, intent: str) -> None:
    """A call to capture the hold before was still out there when it was renewed, and has won."""
    if not intent or not payment.provider_id or intent == payment.provider_id:
        return
    if payment.state == State.CAPTURED:
        sheet.change(payment).mismatch = f"{intent} captured as well"
    else:
        sheet.change(payment).provider_id = intent


def _not_captured(sheet: Sheet, payment: PaymentRow, call: StepCall, outcome: Outcome) -> None:
    match outcome:
        case NotDone():
            sheet.move(payment, State.AUTHORIZED)
        case Refused() if outcome.code == EXPIRED:
            expired(sheet, payment, call)
        case Refused():
            sheet.move(payment, State.CAPTURE_FAILED)
            payment.code = bank_code(outcome)
            sheet.tell(payment, contract.CaptureFailed, payment.amount_minor, call, code=payment.code)
        case Unknown() | Waiting():
            unknown(sheet, payment, call, Operation.CAPTURE, outcome)
        case Unavailable() if payment.state == State.CAPTURING:
            sheet.move(
                payment, State.AUTHORIZED
            )  # proven that it did not happen: a void may win the next time


def captured(sheet: Sheet, payment: PaymentRow, call: Cause, facts: Mapping[str, Any]) -> Done:
    """The provider took the money. Facts: amount_minor, and provider_id where it was not known."""
    amount = int(facts["amount_minor"])
    if payment.state in Payment.FINAL and payment.state != State.CAPTURED:
        sheet.change(payment).mismatch = f"{amount} captured, though {payment.state}"
    elif payment.state != State.CAPTURED:
        if payment.state not in WAS_AUTHORIZED:
            note_authorization(sheet, payment, call, facts)
        sheet.move(payment, State.CAPTURED)
        payment.captured_minor = amount
        sheet.book(payment, ledger.Kind.CAPTURE, ledger.capture(payment.authorized_minor, amount))
        sheet.tell(payment, contract.PaymentCaptured, amount, call)
    return Done({"captured_minor": payment.captured_minor})


def expired(sheet: Sheet, payment: PaymentRow, call: Cause) -> None:
    """The provider let the hold go by itself."""
    sheet.move(payment, State.EXPIRED)
    payment.released_at = sheet.now
    sheet.book(payment, ledger.Kind.RELEASE, ledger.release(payment.authorized_minor))
    sheet.tell(payment, contract.PaymentExpired, payment.authorized_minor, call)
