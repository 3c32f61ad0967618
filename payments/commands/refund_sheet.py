"""Refunds beside their payments: read once, moved in memory, written once with their facts and bookings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from payments import contract
from payments.commands.attempts import MISMATCH, Outcome, bank_code
from payments.commands.ledger import (
    Kind,
    columns,
    refund_paid,
    refund_promised,
    refund_refused,
    refund_repaid,
    refund_returned,
)
from payments.commands.owing import Owed
from payments.commands.sheet import Cause, PaymentRow, Sheet
from payments.gateways import base
from payments.models import Payment, Refund, RefundCut
from sagas.ids import uuid7
from sagas.sql import execute, rows
from sagas.steps import NotDone, StepCall
from sagas.verdicts import Done, IllegalMove, Refused, Unknown, Waiting

State = Refund.State
#: A dispute that closes wakes who waits for it; whom that missed looks again after so long.
LOOK_AGAIN = timedelta(hours=1)
#: Flags of payments of which money was taken back.
TAKEN = (Payment.Flag.REVERSED, Payment.Flag.DISPUTE_LOST)


@dataclass(slots=True)
class RefundRow:
    """A refund as the rules see it. `intent_id` is the provider's name of the payment."""

    id: UUID
    saga_id: UUID
    payment_id: UUID | None
    order_id: UUID
    shop_id: UUID
    reference: str
    currency: str
    amount_minor: int
    credit_minor: int
    state: str
    failures: int = 0
    code: str = ""
    mismatch: str = ""
    provider_id: str = ""
    returned_at: datetime | None = None
    repaid_at: datetime | None = None
    repaid_by: str = ""
    repaid_reference: str = ""
    intent_id: str = ""
    may_pay: bool = True  #: Or only be asked after: a bank decides about the payment, or has taken it.

    @property
    def paid(self) -> bool:
        """Whether the customer has the money, by whatever way."""
        return self.state in Refund.PAID

    @property
    def over(self) -> bool:
        """Whether nothing more happens to it by itself: it is paid, or never will be."""
        return self.paid or self.state == Refund.State.REFUSED


STORED = tuple(f.name for f in fields(RefundRow) if f.name not in ("intent_id", "may_pay"))
LOAD = f"""
SELECT {", ".join(f"r.{name}" for name in STORED)}, coalesce(p.provider_id, '')
  FROM payments_refund r LEFT JOIN payments_payment p ON p.id = r.payment_id
 WHERE r.saga_id = ANY(%s::uuid[])
"""  # noqa: S608 - column names of our own
INSERT = f"""
INSERT INTO payments_refund ({", ".join(STORED)}, made_at, moved_at)
SELECT u.*, %s::timestamptz, %s::timestamptz
  FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[],
              %s::bigint[], %s::bigint[], %s::text[], %s::smallint[], %s::text[], %s::text[], %s::text[],
              %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[]) AS u
"""  # noqa: S608 - column names of our own
SAVE = """
UPDATE payments_refund AS r
   SET state = u.state, failures = u.failures, code = u.code, mismatch = u.mismatch,
       provider_id = u.provider_id, returned_at = u.returned_at, repaid_at = u.repaid_at,
       repaid_by = u.repaid_by, repaid_reference = u.repaid_reference, amount_minor = u.amount_minor, moved_at = %s
  FROM unnest(%s::uuid[], %s::text[], %s::smallint[], %s::text[], %s::text[], %s::text[],
              %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[], %s::bigint[])
    AS u (id, state, failures, code, mismatch, provider_id, returned_at, repaid_at, repaid_by, repaid_reference,
          amount_minor)
 WHERE r.id = u.id
"""


class Refunds:
    """The refunds of a batch beside its payments: read once, written once. Payments are locked first."""

    def __init__(self, sheet: Sheet, sagas: Iterable[UUID]) -> None:
        self.sheet = sheet
        self.by_saga = {row[1]: RefundRow(*row) for row in rows(LOAD, [list(sagas)])}
        self._fresh: list[RefundRow] = []
        self._changed: dict[UUID, RefundRow] = {}
        self._cuts: list[RefundCut] = []

    def promise(
        self, call: StepCall, payment: PaymentRow | None, *, amount: int, credit_minor: int
    ) -> RefundRow:
        """Promise `amount` of a payment and owe `credit_minor` besides; in the ledger at once."""
        state = State.SUBMITTING if amount else State.SUCCEEDED
        refund = self._new(call, payment, amount=amount, credit_minor=credit_minor, state=state)
        if payment is not None and amount:
            self.sheet.change(payment).refunding_minor += amount
            self.sheet.book(payment, Kind.REFUND_PROMISED, refund_promised(amount), source=refund.id)
        self._credit(refund, call)
        return refund

    def _new(
        self, call: StepCall, payment: PaymentRow | None, *, amount: int, credit_minor: int, state: State
    ) -> RefundRow:
        refund = RefundRow(
            id=uuid7(), saga_id=call.saga_id, payment_id=payment.id if payment else None,
            order_id=payment.order_id if payment else order_of(call), shop_id=call.shop_id,
            reference=call.reference, currency=call.currency, amount_minor=amount, credit_minor=credit_minor,
            state=state, intent_id=payment.provider_id if payment else "",
        )  # fmt: skip
        self._fresh.append(refund)
        self.by_saga[call.saga_id] = refund
        return refund

    def _credit(self, refund: RefundRow, call: StepCall) -> None:
        if refund.credit_minor:
            self.sheet.owe(Owed(
                source_id=refund.id, shop_id=refund.shop_id, order_id=refund.order_id,
                payment_id=refund.payment_id, amount_minor=refund.credit_minor, currency=refund.currency,
                correlation_id=call.correlation_id,
            ))  # fmt: skip

    def record(self, call: StepCall, outcome: Outcome) -> Outcome:
        """Store what the provider said about the refund of a saga. Safe to repeat."""
        refund = self.by_saga[call.saga_id]
        if refund.over:
            return result_of(refund)
        match outcome:
            case Done():
                return self._succeed(refund, call, outcome.result)
            case Refused(code=base.CHARGE_DISPUTED) if not self._payment(refund).charged_back_minor:
                self._move(refund, State.SUBMITTING).failures += 1
                return disputed(call)
            case NotDone():
                self._move(refund, State.SUBMITTING).failures += 1
            case Refused():
                self._fail(refund, call, bank_code(outcome))
            case Unknown() | Waiting():
                self._unknown(refund, call, outcome)
        return outcome

    def settle(self, refund: RefundRow, cause: Cause, provider_id: str) -> None:
        """It has gone back, though nobody at work on it had asked."""
        self._succeed(refund, cause, {"provider_id": provider_id})

    def take_back(self, refund: RefundRow, cause: Cause, code: str) -> None:
        """What had gone back has come back to us: owed again, in the ledger too."""
        payment = self._payment(refund)
        self._move(refund, State.FAILED).code = code[:100]
        refund.returned_at = self.sheet.now
        self.sheet.change(payment).refunded_minor -= refund.amount_minor
        payment.refunding_minor += refund.amount_minor
        self.sheet.book(payment, Kind.REFUND_RETURNED, refund_returned(refund.amount_minor), source=refund.id)
        fact = {"refund_id": refund.id, "code": refund.code, "saga_id": refund.saga_id}
        self.sheet.tell(payment, contract.RefundReturned, refund.amount_minor, cause, **fact)

    def repay(self, refund: RefundRow, cause: Cause, *, reference: str, actor: str) -> None:
        """It was paid back another way: owed no more. The provider keeps what it has of the payment."""
        payment = self._payment(refund)
        self._move(refund, State.REPAID)
        refund.repaid_at, refund.repaid_by, refund.repaid_reference = self.sheet.now, actor, reference
        self.sheet.change(payment).refunding_minor -= refund.amount_minor
        payment.repaid_minor += refund.amount_minor
        self.sheet.book(payment, Kind.REFUND_REPAID, refund_repaid(refund.amount_minor), source=refund.id)
        fact = {"refund_id": refund.id, "saga_id": refund.saga_id, "reference": reference}
        self.sheet.tell(payment, contract.RefundRepaid, refund.amount_minor, cause, **fact)

    def promise_rest(
        self, call: StepCall, payment: PaymentRow, *, wanted: int, credit_minor: int
    ) -> RefundRow:
        """Promise what is left of a payment of which a bank, or the provider, has taken the rest; nothing may be left.

        What they have taken is neither paid nor credited: the customer has it.
        """
        amount = payment.refundable_minor
        if amount:
            refund = self.promise(call, payment, amount=amount, credit_minor=credit_minor)
        else:
            refund = self._new(call, payment, amount=wanted, credit_minor=credit_minor, state=State.REFUSED)
            refund.code = taken_by(payment)
            self._credit(refund, call)
        self._tell_refused(refund, call, wanted - amount, whole=not amount)
        return refund

    def refuse(self, refund: RefundRow, cause: Cause) -> bool:
        """Not pay, of what was promised, what the payment does not cover any more: the customer has it from their bank.

        It is owed no more. What the payment still covers is paid, under a new key. Whether nothing is.
        """
        payment = self._payment(refund)
        over = min(-payment.left_minor, refund.amount_minor) if payment.taken_minor else refund.amount_minor
        whole = over == refund.amount_minor
        self._move(refund, State.REFUSED if whole else State(refund.state))
        refund.code, refund.failures = taken_by(payment), refund.failures + 1
        refund.amount_minor -= 0 if whole else over
        self.sheet.change(payment).refunding_minor -= over
        cut = RefundCut(refund_id=refund.id, amount_minor=over, made_at=self.sheet.now)
        self._cuts.append(cut)
        self.sheet.book(payment, Kind.REFUND_REFUSED, refund_refused(over), source=cut.pk)
        self._tell_refused(refund, cause, over, whole=whole)
        return whole

    def _tell_refused(self, refund: RefundRow, cause: Cause, amount: int, *, whole: bool) -> None:
        payment = self._payment(refund)
        fact = {"refund_id": refund.id, "saga_id": refund.saga_id, "code": taken_by(payment), "whole": whole}
        self.sheet.tell(payment, contract.RefundRefused, amount, cause, **fact)

    def try_again(self, refund: RefundRow) -> None:
        """A person has said that a failed refund is to be tried once more."""
        if refund.state == State.FAILED:
            self._move(refund, State.SUBMITTING)

    def save(self) -> None:
        """Write refunds, payments, ledger and events in the caller's transaction."""
        if self._fresh:
            table = [tuple(getattr(r, name) for name in STORED) for r in self._fresh]
            execute(INSERT, [self.sheet.now, self.sheet.now, *columns(table)])
        if self._changed:
            changed = [
                (
                    *(r.id, r.state, r.failures, r.code, r.mismatch, r.provider_id),
                    *(r.returned_at, r.repaid_at, r.repaid_by, r.repaid_reference, r.amount_minor),
                )
                for r in self._changed.values()
            ]
            execute(SAVE, [self.sheet.now, *columns(changed)])
        RefundCut.objects.bulk_create(self._cuts)
        self.sheet.save()

    def _succeed(self, refund: RefundRow, call: Cause, facts: dict[str, Any]) -> Done:
        payment = self._payment(refund)
        self._move(refund, State.SUCCEEDED)
        refund.provider_id, refund.code = str(facts["provider_id"]), ""
        self.sheet.change(payment).refunding_minor -= refund.amount_minor
        payment.refunded_minor += refund.amount_minor
        self.sheet.book(payment, Kind.REFUND_PAID, refund_paid(refund.amount_minor), source=refund.id)
        self.sheet.tell(payment, contract.PaymentRefunded, refund.amount_minor, call, refund_id=refund.id)
        return result_of(refund)

    def _fail(self, refund: RefundRow, call: StepCall, code: str) -> None:
        if refund.state == State.FAILED:
            return
        self._move(refund, State.FAILED).failures += 1
        refund.code = code
        self.sheet.tell(
            self._payment(refund),
            contract.RefundFailed,
            refund.amount_minor,
            call,
            refund_id=refund.id,
            code=code,
            saga_id=refund.saga_id,
        )

    def _unknown(self, refund: RefundRow, call: StepCall, answer: Unknown | Waiting) -> None:
        mismatch = answer.detail[:200] if answer.code == MISMATCH else ""
        told = refund.state == State.UNKNOWN and refund.mismatch == mismatch
        if refund.state == State.FAILED or told:
            return
        self._move(refund, State.UNKNOWN).mismatch = mismatch
        fact = {"operation": "refund", "code": answer.code}
        self.sheet.tell(self._payment(refund), contract.PaymentUnknown, refund.amount_minor, call, **fact)

    def _payment(self, refund: RefundRow) -> PaymentRow:
        if refund.payment_id is None:
            raise LookupError(f"refund {refund.id} has no payment to give back")
        return self.sheet.payments[refund.payment_id]

    def _move(self, refund: RefundRow, to: State) -> RefundRow:
        if refund.state != to and not Refund.may_move(refund.state, to):
            raise IllegalMove(detail=f"refund {refund.id}: {refund.state} to {to}")
        refund.state, refund.mismatch = to, ""
        self._changed[refund.id] = refund
        return refund


def result_of(refund: RefundRow) -> Done:
    """The answer of a refund that is through. Of one that was refused nothing went back."""
    return Done({
        "refund_id": str(refund.id),
        "refunded_minor": refund.amount_minor if refund.paid else 0,
        "credited_minor": refund.credit_minor,
    })  # fmt: skip


def is_taken(payment: PaymentRow, more: int = 0) -> bool:
    """Whether so much of a payment that was taken back is left no more, beside all that is promised of it.

    Of one that was flagged before amounts were kept, nothing is taken to be left.
    """
    if payment.flag not in TAKEN:
        return False
    return not payment.taken_minor or payment.left_minor < more


def taken_by(payment: PaymentRow) -> str:
    """Why a refund is refused, as a code."""
    return f"payments.{payment.flag or Payment.Flag.DISPUTE_LOST}"


def order_of(call: StepCall) -> UUID:
    """The order a refund is for."""
    return UUID(str(call.input["order_id"]))


def disputed(call: StepCall) -> Waiting:
    """A bank decides about the payment. The step is woken when it has; the time is for what nobody told us."""
    return Waiting(contract.PAYMENT_DISPUTED, call.now + LOOK_AGAIN)
