"""The books: every fact about money as one entry of balanced lines. docs/ledger.md shows each kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from payments.models import Account, JournalEntry
from sagas.ids import uuid7
from sagas.sql import rows

Kind = JournalEntry.Kind
Line = tuple[Account, int]

BOOK = """
WITH fresh AS (
  INSERT INTO payments_journalentry (id, kind, source_id, shop_id, order_id, payment_id, at)
  SELECT u.*, %s::timestamptz
    FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[]) AS u
  ON CONFLICT (source_id, kind) DO NOTHING
  RETURNING id
), lines AS (
  INSERT INTO payments_journalline (entry_id, account, currency, amount_minor)
  SELECT l.entry_id, l.account, l.currency, l.amount_minor
    FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bigint[])
      AS l (entry_id, account, currency, amount_minor)
    JOIN fresh ON fresh.id = l.entry_id
)
SELECT id FROM fresh
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry to be booked: debits above zero, credits below, zero in sum."""

    kind: Kind
    source_id: UUID
    shop_id: UUID | None
    order_id: UUID | None
    payment_id: UUID | None
    currency: str
    lines: tuple[Line, ...]
    id: UUID = field(default_factory=uuid7)


def book(entries: Iterable[Entry], *, at: datetime) -> set[UUID]:
    """Write entries with their lines, in one statement. Safe to repeat: once per kind and source.

    Returns the ids of those that are new. An entry that moves nothing is not written.
    """
    wanted = [entry for entry in entries if any(amount for _, amount in entry.lines)]
    if not wanted:
        return set()
    heads = [(e.id, e.kind, e.source_id, e.shop_id, e.order_id, e.payment_id) for e in wanted]
    lines = [(e.id, account, e.currency, amount) for e in wanted for account, amount in e.lines if amount]
    return {ident for (ident,) in rows(BOOK, [at, *columns(heads), *columns(lines)])}


def columns(table: Sequence[tuple[object, ...]]) -> list[list[object]]:
    """Rows turned into columns, as unnest takes them."""
    return [list(column) for column in zip(*table, strict=True)]


def authorization(amount: int) -> tuple[Line, ...]:
    """The bank holds money for us."""
    return ((Account.HOLDS, amount), (Account.HOLDS_CONTRA, -amount))


def release(amount: int) -> tuple[Line, ...]:
    """The hold is gone."""
    return ((Account.HOLDS, -amount), (Account.HOLDS_CONTRA, amount))


def capture(held: int, captured: int) -> tuple[Line, ...]:
    """The hold ends, and what was captured is ours."""
    return (*release(held), (Account.PROVIDER_CLEARING, captured), (Account.SALES, -captured))


def refund_promised(amount: int) -> tuple[Line, ...]:
    """It will go back through the provider; until it has gone it is owed."""
    return ((Account.REFUNDS, amount), (Account.REFUNDS_PAYABLE, -amount))


def refund_paid(amount: int) -> tuple[Line, ...]:
    """It has gone back through the provider."""
    return ((Account.REFUNDS_PAYABLE, amount), (Account.PROVIDER_CLEARING, -amount))


def refund_returned(amount: int) -> tuple[Line, ...]:
    """It had gone back, and has come back to us: it is owed as before."""
    return ((Account.PROVIDER_CLEARING, amount), (Account.REFUNDS_PAYABLE, -amount))


def refund_repaid(amount: int) -> tuple[Line, ...]:
    """It was paid back another way: out of the bank, not out of what the provider has."""
    return ((Account.REFUNDS_PAYABLE, amount), (Account.BANK, -amount))


def capture_reversed(amount: int) -> tuple[Line, ...]:
    """What was captured was taken back: the customer owes it."""
    return ((Account.RECEIVABLE, amount), (Account.PROVIDER_CLEARING, -amount))


def refund_refused(amount: int) -> tuple[Line, ...]:
    """It was promised, and will not go back: the customer has that money from their bank."""
    return ((Account.REFUNDS_PAYABLE, amount), (Account.REFUNDS, -amount))


def dispute_opened(amount: int) -> tuple[Line, ...]:
    """The provider has taken it back while the customer's bank decides."""
    return ((Account.DISPUTED, amount), (Account.PROVIDER_CLEARING, -amount))


def dispute_won(amount: int) -> tuple[Line, ...]:
    """The bank has decided for us: it is at the provider again."""
    return ((Account.PROVIDER_CLEARING, amount), (Account.DISPUTED, -amount))


def dispute_lost(amount: int) -> tuple[Line, ...]:
    """The bank has decided against us."""
    return ((Account.DISPUTE_LOSSES, amount), (Account.DISPUTED, -amount))


def dispute_fee(amount: int) -> tuple[Line, ...]:
    """The provider has told what a dispute costs; below zero, what of it is given back. Its settlement comes later."""
    return ((Account.PROVIDER_FEES, amount), (Account.PROVIDER_FEES_DUE, -amount))


def credit(amount: int) -> tuple[Line, ...]:
    """It is owed to the customer in another way."""
    return ((Account.REFUNDS, amount), (Account.CUSTOMER_CREDIT, -amount))


def settlement(gross: int, fee: int, *, told: int = 0) -> tuple[Line, ...]:
    """The provider has settled an amount with us: it kept its fee, the rest was paid out.

    What of the fee was `told` before is an expense already, and only due no more.
    """
    return (
        (Account.BANK, gross - fee),
        (Account.PROVIDER_FEES, fee - told),
        (Account.PROVIDER_FEES_DUE, told),
        (Account.PROVIDER_SETTLED, -gross),
    )
