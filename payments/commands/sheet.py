"""A batch of payment rows while it is decided on: locked and read once, changed in Python, written once.

One statement to lock and read, one to update, one for the ledger, one for the events, however many payments.
Payment rows are always locked in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from payments import contract
from payments.commands.ledger import Entry, Kind, Line, book, columns
from payments.commands.owing import Owed, owe
from payments.models import Payment
from sagas.log import Append, publish
from sagas.sql import execute, rows
from sagas.verdicts import IllegalMove

State = Payment.State


class Cause(Protocol):
    """What made something happen, as far as an event tells it: a step's call, or news from the provider."""

    @property
    def correlation_id(self) -> str: ...


@dataclass(frozen=True)
class News:
    """What makes it happen: word from the provider, in the name of the request that began the saga."""

    correlation_id: str


@dataclass(slots=True)
class PaymentRow:
    """A payment as the rules see it. The first block never changes."""

    id: UUID
    saga_id: UUID
    order_id: UUID
    shop_id: UUID
    reference: str
    currency: str
    amount_minor: int

    state: str
    unknown_of: str = ""
    mismatch: str = ""
    provider_id: str = ""
    authorized_minor: int = 0
    captured_minor: int = 0
    refunding_minor: int = 0
    refunded_minor: int = 0
    code: str = ""
    released_at: datetime | None = None
    version: int = 0
    reversed_minor: int = 0
    repaid_minor: int = 0
    flag: str = ""
    expires_at: datetime | None = None
    disputed_minor: int = 0
    charged_back_minor: int = 0

    @property
    def left_minor(self) -> int:
        """Captured and still there, not given back in any way and not promised to anybody. Below zero: too much is.

        What banks have not decided about counts as ours.
        """
        back = self.refunded_minor + self.refunding_minor + self.repaid_minor
        return self.captured_minor - self.taken_minor - back

    @property
    def refundable_minor(self) -> int:
        """What may be promised of it."""
        return max(self.left_minor, 0)

    @property
    def taken_minor(self) -> int:
        """What the provider, or a bank, has taken back for good."""
        return self.reversed_minor + self.charged_back_minor


NAMES = tuple(f.name for f in fields(PaymentRow))
MUTABLE = {
    "state": "text", "unknown_of": "text", "mismatch": "text", "provider_id": "text",
    "authorized_minor": "bigint", "captured_minor": "bigint", "refunding_minor": "bigint",
    "refunded_minor": "bigint", "code": "text",
    "released_at": "timestamptz", "version": "int", "reversed_minor": "bigint",
    "repaid_minor": "bigint", "flag": "text",
    "expires_at": "timestamptz", "disputed_minor": "bigint", "charged_back_minor": "bigint",
}  # fmt: skip

LOCK = f"SELECT {', '.join(NAMES)} FROM payments_payment WHERE {{}} ORDER BY id FOR NO KEY UPDATE"  # noqa: S608
OF_SAGAS = LOCK.format("saga_id = ANY(%s::uuid[])")
OF_ORDERS = LOCK.format("order_id = ANY(%s::uuid[])")
OF_IDS = LOCK.format("id = ANY(%s::uuid[])")
OF_REFUNDS = LOCK.format("id IN (SELECT payment_id FROM payments_refund WHERE saga_id = ANY(%s::uuid[]))")
SAVE = f"""
UPDATE payments_payment AS p SET {", ".join(f"{name} = u.{name}" for name in MUTABLE)}, moved_at = %s
  FROM unnest(%s::uuid[], {", ".join(f"%s::{kind}[]" for kind in MUTABLE.values())})
    AS u (id, {", ".join(MUTABLE)})
 WHERE p.id = u.id
"""  # noqa: S608 - column names of our own


class Sheet:
    """Locked payment rows, and everything that is to be written about them."""

    def __init__(
        self, payments: Iterable[PaymentRow], *, now: datetime, actor: str = "system", reason: str = ""
    ) -> None:
        self.now, self.actor, self.reason = now, actor, reason
        self.payments = {p.id: p for p in payments}
        self.by_saga = {p.saga_id: p for p in self.payments.values()}
        self._changed: set[UUID] = set()
        self._entries: list[Entry] = []
        self._appends: list[Append] = []
        self._owed: list[Owed] = []

    @classmethod
    def of_sagas(cls, ids: Collection[UUID], *, now: datetime, besides: Iterable[PaymentRow] = ()) -> Sheet:
        """Lock and read the payments made by these sagas, and take others along that are in hand already."""
        found = (PaymentRow(*row) for row in rows(OF_SAGAS, [list(ids)])) if ids else ()
        return cls((*besides, *found), now=now)

    @classmethod
    def of_orders(cls, ids: Iterable[UUID], *, now: datetime) -> Sheet:
        """Lock and read every payment of these orders."""
        return cls._of(OF_ORDERS, ids, now)

    @classmethod
    def of_payments(
        cls, ids: Iterable[UUID], *, now: datetime, actor: str = "system", reason: str = ""
    ) -> Sheet:
        """Lock and read these payments. A person's act names its actor."""
        return cls._of(OF_IDS, ids, now, actor, reason)

    @classmethod
    def of_refunds(
        cls, ids: Iterable[UUID], *, now: datetime, actor: str = "system", reason: str = ""
    ) -> Sheet:
        """Lock and read the payments that the refunds of these sagas give back. A person's act names its actor."""
        return cls._of(OF_REFUNDS, ids, now, actor, reason)

    @classmethod
    def _of(
        cls, lock: str, ids: Iterable[UUID], now: datetime, actor: str = "system", reason: str = ""
    ) -> Sheet:
        locked = (PaymentRow(*row) for row in rows(lock, [list(ids)]))
        return cls(locked, now=now, actor=actor, reason=reason)

    def change(self, payment: PaymentRow) -> PaymentRow:
        """Mark a row as changed, so that it is written."""
        self._changed.add(payment.id)
        return payment

    def move(self, payment: PaymentRow, to: State, *, unknown_of: str = "", mismatch: str = "") -> None:
        """Change a row's state by the table. Moving to where it already stands changes nothing but the words.

        Raises IllegalMove, which in a batch is a bug: the engine parks the saga at fault.
        """
        if payment.state != to and not Payment.may_move(payment.state, to):
            raise IllegalMove(detail=f"payment {payment.id}: {payment.state} to {to}")
        self.change(payment)
        payment.state, payment.unknown_of, payment.mismatch = to, unknown_of, mismatch[:200]

    def move_all(self, payments: Sequence[PaymentRow], to: State) -> None:
        """Move many rows that need nothing but another state, by a conditional update of their own."""
        moved = Payment.move_all([p.id for p in payments], to, self.now) if payments else set()
        for payment in payments:
            if payment.id in moved:
                payment.state = to

    def tell(
        self,
        payment: PaymentRow,
        event: type[contract.PaymentEvent],
        amount: int,
        call: Cause,
        **more: Any,
    ) -> None:
        """Publish a fact about a payment, as the next version of its stream."""
        self.change(payment).version += 1
        fact = event(
            payment_id=payment.id, order_id=payment.order_id, shop_id=payment.shop_id,
            amount_minor=amount, currency=payment.currency, **more,
        )  # fmt: skip
        self._appends.append(Append(payment.id, payment.version, fact, correlation_id=call.correlation_id))

    def book(
        self,
        payment: PaymentRow,
        kind: Kind,
        lines: tuple[Line, ...],
        *,
        source: UUID | None = None,
        currency: str = "",
    ) -> None:
        """Book an entry about a payment; source and currency are the payment's own unless told."""
        self._entries.append(Entry(
            kind=kind, source_id=source or payment.id, shop_id=payment.shop_id, order_id=payment.order_id,
            payment_id=payment.id, currency=currency or payment.currency, lines=lines,
        ))  # fmt: skip

    def owe(self, owed: Owed) -> None:
        """Owe an amount to a customer besides."""
        self._owed.append(owed)

    def save(self) -> None:
        """Write rows, ledger and events in the caller's transaction."""
        changed = [self.payments[ident] for ident in sorted(self._changed)]
        if changed:
            table = [(p.id, *(getattr(p, name) for name in MUTABLE)) for p in changed]
            execute(SAVE, [self.now, *columns(table)])
        book(self._entries, at=self.now)
        publish(self._appends, now=self.now, actor=self.actor, reason=self.reason)
        owe(self._owed, now=self.now)
