"""Disputes as the provider has them: brought up to date under their payment's lock, with the books and the refunds.

A row only goes forward, and an end stays, so that in whatever order news come they end alike.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from payments import contract
from payments.commands import ledger
from payments.commands.dispute_fees import booked_fees, lock_fees
from payments.commands.ledger import Kind
from payments.commands.refund_sheet import Refunds, is_taken
from payments.commands.sheet import Cause, PaymentRow, Sheet
from payments.gateways import base
from payments.models import Dispute, Payment, Refund
from sagas import operate
from sagas.engine.wake import wake_steps
from sagas.queries import is_unfinished, unfinished_beside
from sagas.sql import rows
from sagas.verdicts import IllegalMove

State = Dispute.State

TO_SETTLE = """
SELECT r.saga_id FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
 WHERE p.saga_id = ANY(%s::uuid[]) AND r.state = 'failed'
"""
REFUND_STEPS = (contract.REFUND_PAYMENT, contract.VOID_AUTHORIZATION)
#: How far a dispute has come. An inquiry that becomes a real dispute begins anew, further on.
RANKS = {State.NEEDS_RESPONSE: 0, State.UNDER_REVIEW: 1, State.WON: 2, State.LOST: 2}
#: What a telling came to.
KNOWN, NOT_YET, OPENED, PROGRESSED = "known", "not_yet", "disputed", "dispute_progressed"


class CannotBe(Exception):
    """The provider says of a dispute what cannot be. Nothing was changed."""


def owed_refunds(payment_sagas: Collection[UUID]) -> list[UUID]:
    """Sagas whose refunds of these payments failed: a lost dispute settles them. To be locked before the payments."""
    return [saga for (saga,) in rows(TO_SETTLE, [list(payment_sagas)])] if payment_sagas else []


class Disputes:
    """The disputes of a batch of findings, beside its payments and their refunds."""

    def __init__(self, sheet: Sheet, refunds: Refunds) -> None:
        self.sheet, self.refunds = sheet, refunds
        self._closed: list[PaymentRow] = []
        self._settled: list[UUID] = []

    def told(self, payment: PaymentRow, told: base.Dispute, news: Cause) -> str:
        """Bring our row to where the provider stands; a word for what was done. Safe to repeat, in any order.

        One of a payment that is not known to be captured waits. Raises CannotBe. Publishes DisputeOpened,
        DisputeProgressed, DisputeClosed and RefundRefused.
        """
        ours = Dispute.objects.select_for_update().filter(provider_id=told.id).first()
        if ours is None and not payment.captured_minor:
            return NOT_YET
        self._check(payment, ours, told)
        if ours is None or not ours.amount_minor:
            return self._open(payment, ours, told, news)
        if _rank(told.inquiry, told.status) < _rank(ours.inquiry, ours.state):
            return KNOWN
        return self._go_on(payment, ours, told, news)

    def save(self, *, now: datetime) -> None:
        """Wake who waited for what was decided, in the caller's transaction and after its rows are written."""
        sagas = {saga for payment in self._closed for saga in unfinished_beside(payment.saga_id)}
        wake_steps(sagas - set(self._settled), REFUND_STEPS)
        settled = [saga for saga in self._settled if is_unfinished(saga)]
        if settled:
            operate.retry_now(
                settled, actor="system", reason="the customer's bank has taken the money", now=now
            )

    def _check(self, payment: PaymentRow, ours: Dispute | None, told: base.Dispute) -> None:
        if (ours is not None and ours.payment_id != payment.id) or told.intent_id != payment.provider_id:
            raise CannotBe(f"{told.id} is of another payment")
        if told.currency != payment.currency:
            raise CannotBe(f"{told.id} in {told.currency}, paid in {payment.currency}")
        if ours is not None and ours.amount_minor and ours.amount_minor != told.amount_minor:
            raise CannotBe(f"{told.id} over {told.amount_minor}, was {ours.amount_minor}")
        if (
            State(told.status) not in Dispute.OPEN
            and ours is not None
            and not ours.open
            and ours.state != told.status
        ):
            raise CannotBe(f"{told.id} {told.status}, was {ours.state}")
        if ours is not None and ours.withdrawn_minor:
            return
        room = payment.captured_minor - payment.taken_minor - payment.disputed_minor
        if not 0 < told.amount_minor <= room:
            raise CannotBe(f"{told.id} over {told.amount_minor}, {room} there")

    def _open(self, payment: PaymentRow, ours: Dispute | None, told: base.Dispute, news: Cause) -> str:
        """It is new, or was only a flag until now. One that has ended meanwhile is opened and closed."""
        now, state = self.sheet.now, State(told.status)
        begins = state if state in Dispute.OPEN else State.NEEDS_RESPONSE
        row = ours or Dispute(payment_id=payment.id, provider_id=told.id, made_at=now)
        row.state, row.closed_at, row.moved_at, row.asked_at = begins, None, now, now
        row.amount_minor, row.currency, row.reason = told.amount_minor, told.currency, told.reason
        row.inquiry, row.opened_at, row.evidence_due_by = told.inquiry, told.opened_at, told.evidence_due_by
        self._withdraw(payment, row)
        self._tell(
            payment, contract.DisputeOpened, row, news, reason=row.reason,
            evidence_due_by=row.evidence_due_by, opened_at=row.opened_at,
        )  # fmt: skip
        return self._close_or_keep(payment, row, told, news, OPENED)

    def _go_on(self, payment: PaymentRow, row: Dispute, told: base.Dispute, news: Cause) -> str:
        now, was = self.sheet.now, (row.state, row.inquiry, row.evidence_due_by)
        row.asked_at = now
        if not row.open:
            return self._close_or_keep(payment, row, told, news, KNOWN)
        row.inquiry = told.inquiry
        self._withdraw(payment, row)
        if State(told.status) in Dispute.OPEN:
            _move(row, State(told.status))
            row.evidence_due_by = told.evidence_due_by or row.evidence_due_by
        if was == (row.state, row.inquiry, row.evidence_due_by):
            return self._close_or_keep(payment, row, told, news, KNOWN)
        row.moved_at = now
        fact = {"state": row.state, "evidence_due_by": row.evidence_due_by}
        self._tell(payment, contract.DisputeProgressed, row, news, **fact)
        return self._close_or_keep(payment, row, told, news, PROGRESSED)

    def _close_or_keep(
        self, payment: PaymentRow, row: Dispute, told: base.Dispute, news: Cause, word: str
    ) -> str:
        """Close it if the bank has decided; then write it, with what it costs."""
        ends = row.open and State(told.status) not in Dispute.OPEN
        if ends:
            self._close(payment, row, State(told.status), news)
            word = f"dispute_{row.state}"
        self._cost(payment, row, told)
        row.save()
        self._flag(payment)
        if ends:
            self._settle_owed(payment, news)
        return word

    def _withdraw(self, payment: PaymentRow, row: Dispute) -> None:
        if row.inquiry or row.withdrawn_minor:
            return
        row.withdrawn_minor = row.amount_minor
        self.sheet.change(payment).disputed_minor += row.withdrawn_minor
        self.sheet.book(
            payment, Kind.DISPUTE_OPENED, ledger.dispute_opened(row.withdrawn_minor), source=row.id
        )

    def _close(self, payment: PaymentRow, row: Dispute, state: State, news: Cause) -> None:
        _move(row, state)
        row.closed_at = row.moved_at = self.sheet.now
        amount = row.withdrawn_minor
        self.sheet.change(payment).disputed_minor -= amount
        if state == State.LOST:
            payment.charged_back_minor += amount
            self.sheet.book(payment, Kind.DISPUTE_LOST, ledger.dispute_lost(amount), source=row.id)
        else:
            self.sheet.book(payment, Kind.DISPUTE_WON, ledger.dispute_won(amount), source=row.id)
        self._closed.append(payment)
        self._tell(payment, contract.DisputeClosed, row, news, outcome=str(state))

    def _cost(self, payment: PaymentRow, row: Dispute, told: base.Dispute) -> None:
        """Book what the fee differs by from what was booked for it, by us or by a settlement report before us."""
        if told.fee_minor == row.fee_minor or not (told.fee_currency or row.fee_currency):
            return
        row.fee_minor, row.fee_currency = told.fee_minor, told.fee_currency or row.fee_currency
        lock_fees([row.provider_id])
        booked = booked_fees([(row.id, row.provider_id)], row.fee_currency).get(row.id)
        more = row.fee_minor - (booked.expensed_minor if booked else 0)
        if more:
            self._book_fee(payment, row, more)

    def _book_fee(self, payment: PaymentRow, row: Dispute, amount: int) -> None:
        row.save()
        fee = row.fees.create(amount_minor=amount, currency=row.fee_currency, made_at=self.sheet.now)
        lines = ledger.dispute_fee(amount)
        self.sheet.book(payment, Kind.DISPUTE_FEE, lines, source=fee.pk, currency=fee.currency)

    def _flag(self, payment: PaymentRow) -> None:
        """The payment says what is worst of it."""
        others = Dispute.objects.filter(payment_id=payment.id, inquiry=False)
        open_ = others.filter(state__in=Dispute.OPEN).exists()
        flag = Payment.Flag.NONE
        if open_:
            flag = Payment.Flag.DISPUTED
        elif others.filter(state=State.LOST).exists():
            flag = Payment.Flag.DISPUTE_LOST
        elif payment.reversed_minor:
            flag = Payment.Flag.REVERSED
        if payment.flag != flag:
            self.sheet.change(payment).flag = flag

    def _settle_owed(self, payment: PaymentRow, news: Cause) -> None:
        """What the provider could not pay back, and the bank has now given to the customer, is owed no more."""
        owed = [r for r in self.refunds.by_saga.values() if r.payment_id == payment.id]
        for refund in sorted(owed, key=lambda r: r.id, reverse=True):
            owed_still = refund.state == Refund.State.FAILED and is_taken(payment)
            if owed_still and self.refunds.refuse(refund, news):
                self._settled.append(refund.saga_id)

    def _tell(
        self,
        payment: PaymentRow,
        event: type[contract.DisputeEvent],
        row: Dispute,
        news: Cause,
        **more: object,
    ) -> None:
        who = {"dispute_id": row.id, "provider_dispute": row.provider_id, "inquiry": row.inquiry}
        self.sheet.tell(payment, event, row.amount_minor, news, **who, **more)


def _move(row: Dispute, to: State) -> None:
    if row.state != to and not Dispute.may_move(row.state, to):
        raise IllegalMove(detail=f"{row}: {row.state} to {to}")
    row.state = to


def _rank(inquiry: bool, state: str) -> tuple[int, int]:
    rank = RANKS[State(state)]
    return (1 if rank == RANKS[State.WON] or not inquiry else 0, rank)
