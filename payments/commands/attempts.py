"""A payment on its way in: opened, authorized, declined, unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from payments import contract
from payments.commands import acting, ledger
from payments.commands.acting import CustomerMustAct
from payments.commands.sheet import Cause, PaymentRow, Sheet
from payments.gateways.base import ACTION_EXPIRED, ALREADY_VOIDED, DECLINED
from payments.models import Payment
from sagas.ids import uuid7
from sagas.inbox.work import wake_unmatched
from sagas.sql import rows
from sagas.steps import Continue, NotDone, StepCall
from sagas.verdicts import Answer, Done, Refused, Unknown, Waiting

State = Payment.State
Operation = Payment.Operation
Outcome = Answer | Continue

MISMATCH = "payments.mismatch"
VOIDED = "payments.voided"
#: States that say that the authorization was given, whatever came after.
WAS_AUTHORIZED = {State.AUTHORIZED, State.CAPTURING, State.CAPTURED, State.CAPTURE_FAILED}
#: States in which nothing is known to be held yet.
OPEN_STATES = {State.CREATED, State.AUTHORIZING, State.REQUIRES_ACTION}

OPEN = """
INSERT INTO payments_payment (
  id, saga_id, order_id, shop_id, reference, currency, amount_minor, state, made_at, moved_at,
  unknown_of, mismatch, provider_id, authorized_minor, captured_minor, refunding_minor, refunded_minor,
  code, version)
SELECT u.*, %s, %s::timestamptz, %s::timestamptz, '', '', '', 0, 0, 0, 0, '', 0
  FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::bigint[]) AS u
ON CONFLICT (saga_id) DO NOTHING
RETURNING saga_id
"""


def open_payments(calls: Sequence[StepCall], state: State) -> list[PaymentRow]:
    """Make a row for each saga that has none, to be authorized or as a tombstone. Returns the rows that are new.

    Nobody else can see them before the commit, so they need no lock.
    """
    table = sorted(
        (uuid7(), c.saga_id, c.subject_id, c.shop_id, c.reference, c.currency, c.amount_minor) for c in calls
    )
    now = calls[0].now
    made = {saga for (saga,) in rows(OPEN, [state, now, now, *ledger.columns(table)])}
    return [PaymentRow(*row, state=state) for row in table if row[1] in made]


def begin_authorizations(calls: Sequence[StepCall]) -> list[PaymentRow | Answer]:
    """Open a payment for each call. Safe to repeat.

    Answers the payment when the provider has to be asked, else what is known already: a tombstone refuses.
    """
    now = calls[0].now
    new = {payment.saga_id: payment for payment in open_payments(calls, State.CREATED)}
    sheet = Sheet.of_sagas([c.saga_id for c in calls if c.saga_id not in new], now=now, besides=new.values())
    begun = [_begin(sheet, call) for call in calls]
    sheet.save()
    return begun


def _begin(sheet: Sheet, call: StepCall) -> PaymentRow | Answer:
    payment = sheet.by_saga[call.saga_id]
    if payment.state in (State.VOIDING, State.VOIDED, State.EXPIRED):
        return Refused(VOIDED)
    if payment.state == State.DECLINED:
        return Refused(DECLINED, payment.code)
    if payment.state in WAS_AUTHORIZED or payment.authorized_minor:
        return given(payment)
    if payment.amount_minor == 0:
        return authorized(sheet, payment, call, {})
    return payment


def record_authorizations(answers: Sequence[tuple[StepCall, Outcome]], *, now: datetime) -> list[Outcome]:
    """Store what the provider said. Safe to repeat, and open to answers that come late.

    A late success reopens a tombstone (voided to authorized), so that the undo has something to let go. What the
    provider told of an intent before its id was known here is read after the commit.
    """
    sheet = Sheet.of_sagas([call.saga_id for call, _ in answers], now=now)
    outcomes = [_record(sheet, call, outcome) for call, outcome in answers]
    sheet.save()
    if settings.WAYBILL.payment_webhook_secrets:  # without one nothing can have been told
        wake_unmatched([o.memo["provider_id"] for o in outcomes if isinstance(o, Continue)], now=now)
    return outcomes


def _record(sheet: Sheet, call: StepCall, outcome: Outcome) -> Outcome:
    payment = sheet.by_saga[call.saga_id]
    match outcome:
        case Continue():
            return _keep_provider_id(sheet, payment, outcome)
        case Done():
            return authorized(sheet, payment, call, outcome.result)
        case _ if _asks_for_authorization(payment):
            not_authorized(sheet, payment, call, outcome)
    return outcome


def _asks_for_authorization(payment: PaymentRow) -> bool:
    """Whether an authorization is what the row waits for. If not, what comes late is no news."""
    return payment.state in OPEN_STATES or payment.unknown_of in (Operation.CREATE, Operation.AUTHORIZE)


def not_authorized(sheet: Sheet, payment: PaymentRow, call: Cause, outcome: Outcome) -> None:
    """Store that the hold was not given, or that it is unknown whether it was."""
    match outcome:
        case NotDone():
            sheet.move(payment, State.AUTHORIZING if payment.provider_id else State.CREATED)
        case CustomerMustAct():
            customer_must_act(sheet, payment, call, outcome)
        case Refused() if outcome.code in (ALREADY_VOIDED, ACTION_EXPIRED):
            # Not our undo, then the row would not ask: it was let go of there, so it was refused to us.
            sheet.move(payment, State.VOIDED)
            payment.code, payment.released_at = bank_code(outcome), sheet.now
            sheet.tell(payment, contract.PaymentDeclined, payment.amount_minor, call, code=payment.code)
            sheet.tell(payment, contract.PaymentVoided, 0, call)
        case Refused():
            sheet.move(payment, State.DECLINED)
            payment.code = bank_code(outcome)
            sheet.tell(payment, contract.PaymentDeclined, payment.amount_minor, call, code=payment.code)
        case Unknown() | Waiting():
            operation = Operation.AUTHORIZE if payment.provider_id else Operation.CREATE
            unknown(sheet, payment, call, operation, outcome)


def customer_must_act(sheet: Sheet, payment: PaymentRow, call: Cause, answer: CustomerMustAct) -> None:
    """The bank decides once the customer has acted. Published once."""
    acting.keep_action(payment.id, answer, now=sheet.now)
    if payment.state != State.REQUIRES_ACTION:
        sheet.move(payment, State.REQUIRES_ACTION)
        sheet.tell(payment, contract.PaymentActionRequired, payment.amount_minor, call, until=answer.deadline)


def given(payment: PaymentRow) -> Done:
    """The answer of an authorization that exists."""
    return Done({"payment_id": str(payment.id)})


def authorized(sheet: Sheet, payment: PaymentRow, call: Cause, facts: Mapping[str, Any]) -> Done:
    """The provider holds the money. Facts: provider_id, and expires_at where it was told."""
    if payment.state in WAS_AUTHORIZED or payment.authorized_minor or payment.released_at is not None:
        return given(payment)  # known already, or old news of a hold that is gone
    if payment.state != State.VOIDING and payment.unknown_of != Operation.VOID:
        sheet.move(payment, State.AUTHORIZED)
    # Else a void is out there: it will let go what has only now become known.
    note_authorization(sheet, payment, call, facts)
    return given(payment)


def note_authorization(sheet: Sheet, payment: PaymentRow, call: Cause, facts: Mapping[str, Any]) -> None:
    """Write down once that the whole amount is, or was, held."""
    payment.provider_id = payment.provider_id or facts.get("provider_id", "")
    if payment.authorized_minor:
        return
    payment.authorized_minor = payment.amount_minor
    payment.expires_at = facts.get("expires_at")
    sheet.book(payment, ledger.Kind.AUTHORIZATION, ledger.authorization(payment.amount_minor))
    sheet.tell(payment, contract.PaymentAuthorized, payment.amount_minor, call)


def unknown(
    sheet: Sheet, payment: PaymentRow, call: Cause, operation: str, answer: Unknown | Waiting
) -> None:
    """Nobody knows what the provider did, or it said what cannot be. Published once for each such answer."""
    mismatch = answer.detail[:200] if answer.code == MISMATCH else ""
    told = payment.state == State.UNKNOWN and payment.mismatch == mismatch
    sheet.move(payment, State.UNKNOWN, unknown_of=operation, mismatch=mismatch)
    if not told:
        fact = {"operation": str(operation), "code": answer.code}
        sheet.tell(payment, contract.PaymentUnknown, payment.amount_minor, call, **fact)


def bank_code(answer: Refused) -> str:
    """The bank's own word for a no, else ours."""
    return (answer.detail or answer.code)[:100]


def _keep_provider_id(sheet: Sheet, payment: PaymentRow, answer: Continue) -> Continue:
    """The first object that became durable is the only one ever confirmed."""
    if not payment.provider_id:
        sheet.change(payment).provider_id = answer.memo["provider_id"]
    if payment.state == State.CREATED or payment.unknown_of == Operation.CREATE:
        sheet.move(payment, State.AUTHORIZING)
    return Continue({**answer.memo, "provider_id": payment.provider_id})
