"""Holding the money of a payment anew before its hold runs out. Whatever happens, one hold is left in the end.

The payment's row lock decides. If it is still authorized by its old intent when the new hold is there, it goes by the
new one from then on; if a capture or a void took it first, the new hold is the spare one. A spare hold is let go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from payments import contract
from payments.commands.attempts import Outcome, bank_code
from payments.commands.captures import captured
from payments.commands.ledger import columns
from payments.commands.sheet import Cause, News, PaymentRow, Sheet
from payments.models import Payment, Renewal
from sagas.inbox.work import wake_unmatched
from sagas.sql import execute, rows
from sagas.steps import Continue, NotDone, StepCall
from sagas.verdicts import Answer, Done, IllegalMove, Refused, Unavailable, Waiting

State = Renewal.State
Payments = Payment.State

NOT_NEEDED = "payments.renewal_not_needed"
GIVEN_UP = "payments.renewal_given_up"
CAPTURE_IN_FLIGHT = "payments.capture_in_flight"
CAPTURED_TWICE = "payments.captured_twice"
#: A capture that is under way decides soon; then it is known which hold is the spare one.
LOOK_AGAIN = timedelta(minutes=1)
#: It was decided which of both holds is spare.
DECIDED = {State.RENEWED, State.SPARE, State.DONE}
#: Nothing was decided yet: the hold is there, and may be captured.
HELD = {Payments.AUTHORIZED, Payments.CAPTURING}


@dataclass(slots=True)
class RenewalRow:
    """A renewal as the rules see it, beside its payment."""

    id: UUID
    saga_id: UUID
    payment_id: UUID
    old_intent: str
    new_intent: str
    state: str
    until: datetime
    code: str


NAMES = tuple(f.name for f in fields(RenewalRow))
LOAD = f"SELECT {', '.join(NAMES)} FROM payments_renewal WHERE saga_id = ANY(%s::uuid[])"  # noqa: S608 - our names
SAVE = """
UPDATE payments_renewal AS r SET state = u.state, new_intent = u.new_intent, code = u.code, moved_at = %s
  FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[]) AS u (id, state, new_intent, code)
 WHERE r.id = u.id
"""


class Renewals:
    """The renewals of a batch of sagas beside their payments, which are locked first."""

    def __init__(self, calls: Sequence[StepCall], *, now: datetime) -> None:
        self.sheet = Sheet.of_payments([call.subject_id for call in calls], now=now)
        found = (RenewalRow(*row) for row in rows(LOAD, [[call.saga_id for call in calls]]))
        self.by_saga = {renewal.saga_id: renewal for renewal in found}
        self._changed: dict[UUID, RenewalRow] = {}

    def of(self, call: StepCall) -> tuple[RenewalRow, PaymentRow]:
        """The renewal of a call, and its payment."""
        renewal = self.by_saga[call.saga_id]
        return renewal, self.sheet.payments[renewal.payment_id]

    def change(self, renewal: RenewalRow) -> RenewalRow:
        """Mark a row as changed, so that it is written."""
        self._changed[renewal.id] = renewal
        return renewal

    def move(self, renewal: RenewalRow, to: State) -> None:
        """Change state by the table. Raises IllegalMove."""
        if renewal.state != to and not Renewal.may_move(renewal.state, to):
            raise IllegalMove(detail=f"renewal {renewal.id}: {renewal.state} to {to}")
        self.change(renewal).state = to

    def fail(self, renewal: RenewalRow, payment: PaymentRow, code: str, call: Cause) -> None:
        """It was not renewed. A person is told as long as the payment still lives by the hold that runs out."""
        self.change(renewal).code = code
        if payment.state in HELD:
            fact = {"code": code, "until": renewal.until}
            self.sheet.tell(payment, contract.RenewalFailed, payment.authorized_minor, call, **fact)

    def save(self) -> None:
        """Write renewals, payments and events in the caller's transaction."""
        if self._changed:
            table = [(r.id, r.state, r.new_intent, r.code) for r in self._changed.values()]
            execute(SAVE, [self.sheet.now, *columns(table)])
        self.sheet.save()


def begin_holds(calls: Sequence[StepCall]) -> list[tuple[RenewalRow, PaymentRow] | Answer]:
    """Which of these payments still have to be held anew. Safe to repeat.

    A payment that a capture or a void took first refuses, as long as nothing was made at the provider.
    """
    renewals = Renewals(calls, now=calls[0].now)
    begun = [_begin_hold(renewals, call) for call in calls]
    renewals.save()
    return begun


def _begin_hold(renewals: Renewals, call: StepCall) -> tuple[RenewalRow, PaymentRow] | Answer:
    renewal, payment = renewals.of(call)
    if renewal.state == State.DECLINED:
        return Refused(renewal.code)
    if renewal.state != State.ASKING:
        return Done()
    if renewal.new_intent or _goes_by(payment, renewal.old_intent):
        return renewal, payment
    if _capture_in_flight(payment):
        return Waiting(CAPTURE_IN_FLIGHT, renewals.sheet.now + LOOK_AGAIN)
    renewals.move(renewal, State.DROPPED)
    renewal.code = NOT_NEEDED
    return Refused(NOT_NEEDED, f"the payment is {payment.state}")


def record_holds(answers: Sequence[tuple[StepCall, Outcome]], *, now: datetime) -> list[Outcome]:
    """Store what the provider said of new holds. Safe to repeat, and open to answers that come late."""
    renewals = Renewals([call for call, _ in answers], now=now)
    outcomes = [_record_hold(renewals, call, outcome) for call, outcome in answers]
    renewals.save()
    if settings.WAYBILL.payment_webhook_secrets:
        wake_unmatched([o.memo["provider_id"] for o in outcomes if isinstance(o, Continue)], now=now)
    return outcomes


def _record_hold(renewals: Renewals, call: StepCall, outcome: Outcome) -> Outcome:
    renewal, payment = renewals.of(call)
    match outcome:
        case Continue():
            return _keep_intent(renewals, renewal, payment, outcome)
        case Done():
            return _held(renewals, call, outcome.result)
        case Refused() if not isinstance(outcome, NotDone) and renewal.state == State.ASKING:
            renewals.move(renewal, State.DECLINED)
            renewals.fail(renewal, payment, bank_code(outcome), call)
    return outcome


def _keep_intent(
    renewals: Renewals, renewal: RenewalRow, payment: PaymentRow, answer: Continue
) -> Continue | Done:
    """The first object that became durable is the only one ever confirmed, and only as long as it is wanted."""
    if not renewal.new_intent:
        renewals.change(renewal).new_intent = answer.memo["provider_id"]
    wanted = _goes_by(payment, renewal.old_intent) or _capture_in_flight(payment)
    if renewal.state == State.ASKING and not wanted:
        renewals.move(renewal, State.SPARE)
    if renewal.state != State.ASKING:
        return Done()
    return Continue({**answer.memo, "provider_id": renewal.new_intent})


def _held(renewals: Renewals, call: StepCall, facts: Mapping[str, Any]) -> Answer:
    """A second hold is there. Which of both the payment goes by is decided now, or once its capture is."""
    renewal, payment = renewals.of(call)
    if renewal.state in DECIDED:
        return Done()
    renewals.change(renewal).new_intent = facts["provider_id"]
    asking = renewal.state == State.ASKING
    if asking and _capture_in_flight(payment) and not call.cause:
        return Waiting(CAPTURE_IN_FLIGHT, renewals.sheet.now + LOOK_AGAIN)
    if asking and _goes_by(payment, renewal.old_intent):
        _take_over(renewals, renewal, payment, facts.get("expires_at"), call)
    else:
        renewals.move(renewal, State.SPARE)
    return Done()


def _take_over(
    renewals: Renewals, renewal: RenewalRow, payment: PaymentRow, told: datetime | None, call: Cause
) -> None:
    renewals.move(renewal, State.RENEWED)
    until = told or renewals.sheet.now + timedelta(seconds=settings.WAYBILL.authorization_life_seconds)
    payment.provider_id, payment.expires_at = renewal.new_intent, until
    renewals.sheet.tell(payment, contract.AuthorizationRenewed, payment.authorized_minor, call, until=until)


def begin_letting_go(calls: Sequence[StepCall]) -> list[tuple[str, PaymentRow] | Answer]:
    """Which hold of each payment is the spare one. Safe to repeat, and before anything was asked for.

    A renewal that was given up before it was known whether the bank holds anything has the new one let go.
    """
    renewals = Renewals(calls, now=calls[0].now)
    begun = [_begin_letting_go(renewals, call) for call in calls]
    renewals.save()
    return begun


def _begin_letting_go(renewals: Renewals, call: StepCall) -> tuple[str, PaymentRow] | Answer:
    renewal, payment = renewals.of(call)
    if renewal.state == State.ASKING:
        renewals.move(renewal, State.SPARE if renewal.new_intent else State.DROPPED)
        renewals.fail(renewal, payment, GIVEN_UP, call)
    if renewal.state in Renewal.FINAL:
        return Done()
    return spare_of(renewal), payment


def spare_of(renewal: RenewalRow) -> str:
    """The intent that the payment does not go by."""
    return renewal.old_intent if renewal.state == State.RENEWED else renewal.new_intent


def record_letting_go(answers: Sequence[tuple[StepCall, Outcome]], *, now: datetime) -> list[Outcome]:
    """Store that a spare hold is gone. Safe to repeat.

    `Continue` says that it had been captured: a call to capture the old hold was still out there, and has won.
    """
    renewals = Renewals([call for call, _ in answers], now=now)
    outcomes = [_record_letting_go(renewals, call, outcome) for call, outcome in answers]
    renewals.save()
    return outcomes


def _record_letting_go(renewals: Renewals, call: StepCall, outcome: Outcome) -> Outcome:
    renewal, _ = renewals.of(call)
    if renewal.state in Renewal.FINAL:
        return Done()
    match outcome:
        case Continue():
            return _captured_after_all(renewals, call, outcome.memo)
        case Done() if outcome.result["intent_id"] != spare_of(renewal):
            return Unavailable(CAPTURE_IN_FLIGHT)  # the other one has become the spare meanwhile
        case Done():
            renewals.move(renewal, State.DONE if renewal.state == State.RENEWED else State.DROPPED)
            return Done()
    return outcome


def _captured_after_all(renewals: Renewals, call: StepCall, memo: Mapping[str, Any]) -> Answer:
    """The old hold was captured although the payment had moved on: it goes by the old one again."""
    renewal, payment = renewals.of(call)
    if renewal.state == State.RENEWED and payment.provider_id == renewal.old_intent:
        renewals.move(renewal, State.SPARE)  # its own step was told first
        return Unavailable(CAPTURE_IN_FLIGHT)
    if renewal.state != State.RENEWED or payment.state not in (Payments.AUTHORIZED, Payments.CAPTURING):
        words = (
            f"{memo['captured_minor']} captured of {memo['intent_id']}, though the payment is {payment.state}"
        )
        return Refused(CAPTURED_TWICE, words)  # nobody's rule: the saga is parked for a person
    if payment.state == Payments.CAPTURING:
        return Unavailable(CAPTURE_IN_FLIGHT)
    renewals.move(renewal, State.SPARE)
    payment.provider_id = renewal.old_intent
    captured(renewals.sheet, payment, call, {"amount_minor": memo["captured_minor"]})
    return Unavailable(CAPTURE_IN_FLIGHT)  # and the new one is let go in its place


def _goes_by(payment: PaymentRow, intent: str) -> bool:
    return payment.state == Payments.AUTHORIZED and payment.provider_id == intent


def _capture_in_flight(payment: PaymentRow) -> bool:
    return payment.state == Payments.CAPTURING or payment.unknown_of == Payment.Operation.CAPTURE


def call_attention(reasons: Mapping[UUID, str], *, now: datetime) -> None:
    """Tell of payments whose renewal needs a person, in the engine's transaction."""
    sheet = Sheet.of_payments(reasons, now=now)
    for payment in sheet.payments.values():
        fact = {"flag": "renewal_parked", "said": reasons[payment.id][:200]}
        sheet.tell(payment, contract.PaymentFlagged, payment.amount_minor, News(""), **fact)
    sheet.save()
