"""What payments does when other apps have something to say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orders import contract as orders
from payments.commands import owing
from sagas.bus import subscription
from sagas.log import Recorded


@subscription("payments.credit_notes", of=(orders.CreditNoteImported,))
def on_credit_notes(*, events: Sequence[Recorded], now: datetime) -> None:
    """A credit note without an order is owed to the customer. Those with one are refunded by their saga."""
    notes = [(r, r.event) for r in events if isinstance(r.event, orders.CreditNoteImported)]
    owed = [_owed(recorded, note) for recorded, note in notes if note.order_id is None]
    owing.owe(owed, now=now)


def _owed(recorded: Recorded, note: orders.CreditNoteImported) -> owing.Owed:
    return owing.Owed(
        source_id=note.credit_note_id, shop_id=note.shop_id, order_id=None, payment_id=None,
        amount_minor=note.amount_minor, currency=note.currency,
        correlation_id=str(recorded.metadata.get("correlation_id", "")),
    )  # fmt: skip
