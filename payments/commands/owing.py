"""What is owed to customers in another way than through the provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from payments import contract
from payments.commands.ledger import Entry, Kind, book, credit
from sagas.log import Append, publish


@dataclass(frozen=True, kw_only=True)
class Owed:
    """One amount owed. `source_id` names the refund or the credit note; each is owed once."""

    source_id: UUID
    shop_id: UUID
    order_id: UUID | None
    payment_id: UUID | None
    amount_minor: int
    currency: str
    correlation_id: str = ""


def owe(owed: Sequence[Owed], *, now: datetime) -> None:
    """Book customer credit and publish CustomerCredited, in two statements. Safe to repeat."""
    entries = {one: _entry(one) for one in owed}
    fresh = book(entries.values(), at=now)
    publish([_append(one, entry) for one, entry in entries.items() if entry.id in fresh], now=now)


def _entry(owed: Owed) -> Entry:
    return Entry(
        kind=Kind.CREDIT, source_id=owed.source_id, shop_id=owed.shop_id, order_id=owed.order_id,
        payment_id=owed.payment_id, currency=owed.currency, lines=credit(owed.amount_minor),
    )  # fmt: skip


def _append(owed: Owed, entry: Entry) -> Append:
    fact = contract.CustomerCredited(
        source_id=owed.source_id, order_id=owed.order_id, shop_id=owed.shop_id,
        amount_minor=owed.amount_minor, currency=owed.currency,
    )  # fmt: skip
    return Append(entry.id, 1, fact, correlation_id=owed.correlation_id)
