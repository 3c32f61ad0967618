"""Rows of credit notes, read and written for a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orders.contract import CreditNoteApplied, OrderConfirmed
from orders.giving_back.models import CreditNote
from orders.parcelling.claims import MAY_LEAVE
from sagas import log
from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.sql import execute, rows

State = CreditNote.State

COLUMNS = {
    "id": "uuid", "shop_id": "uuid", "order_id": "uuid", "reference": "text", "kind": "text", "state": "text",
    "currency": "text", "amount_minor": "bigint", "credit_minor": "bigint", "lines": "jsonb",
    "issued_at": "timestamptz",
}  # fmt: skip

INSERT = f"""
INSERT INTO orders_creditnote ({", ".join(COLUMNS)}, refund_minor, tries, made_at, moved_at)
SELECT u.*, 0, 0, %s::timestamptz, %s::timestamptz
  FROM unnest({", ".join(f"%s::{kind}[]" for kind in COLUMNS.values())}) AS u ({", ".join(COLUMNS)})
 ORDER BY u.reference, u.shop_id
ON CONFLICT (reference, shop_id) DO NOTHING
RETURNING id
"""  # noqa: S608 - column names of our own

# A note whose order can be given back to, and no older note of the same order before it. It says what `rules.way_for`
# says, so that those that have to wait, as while pieces of their order are still to leave, never fill the batch.
READY = f"""
SELECT n.id, n.order_id
  FROM orders_creditnote n JOIN orders_order o ON o.id = n.order_id
 WHERE n.state = 'waiting' AND n.saga_id IS NULL AND o.lock_kind = ''
   AND (o.state IN ('processing', 'completed', 'rejected', 'cancelled')
        OR (o.state = 'confirmed' AND n.kind = 'cancellation'))
   AND NOT ({MAY_LEAVE})
   AND NOT EXISTS (
     SELECT FROM orders_creditnote e
      WHERE e.order_id = n.order_id AND e.state = 'waiting' AND (e.issued_at, e.id) < (n.issued_at, n.id))
 ORDER BY n.issued_at, n.id LIMIT %s
"""  # noqa: S608 - a constant

LOCK = """
SELECT id, shop_id, order_id, reference, kind, currency, amount_minor, lines, tries
  FROM orders_creditnote
 WHERE id = ANY(%s::uuid[]) AND state = 'waiting' AND saga_id IS NULL
 ORDER BY id FOR NO KEY UPDATE
"""

HAND_TO_SAGA = """
UPDATE orders_creditnote n SET saga_id = u.saga_id, tries = n.tries + 1, moved_at = %s
  FROM unnest(%s::uuid[], %s::uuid[]) AS u (id, saga_id) WHERE n.id = u.id AND n.state = 'waiting'
"""

BECOME_RETURN = """
UPDATE orders_creditnote SET kind = 'return', saga_id = NULL, moved_at = %s
 WHERE id = ANY(%s::uuid[]) AND state = 'waiting'
"""

WAIT_AGAIN = """
UPDATE orders_creditnote SET saga_id = NULL, moved_at = %s WHERE id = ANY(%s::uuid[]) AND state = 'waiting'
"""

# What an ended note neither paid back nor owes was covered by a refund that somebody had asked for.
COVERED = """
SELECT order_id, sum(greatest(0, amount_minor - refund_minor - credit_minor))::bigint
  FROM orders_creditnote WHERE order_id = ANY(%s::uuid[]) AND state = 'applied' GROUP BY order_id
"""

FINISH = """
UPDATE orders_creditnote n
   SET state = u.state, refund_minor = u.refund_minor, credit_minor = u.credit_minor, moved_at = %s
  FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[]) AS u (id, state, refund_minor, credit_minor)
 WHERE n.id = u.id AND n.state = 'waiting'
RETURNING n.id, n.shop_id, n.order_id
"""


@dataclass(frozen=True, slots=True)
class Note:
    """A waiting note under its lock."""

    id: UUID
    shop_id: UUID
    order_id: UUID
    reference: str
    kind: str
    currency: str
    amount_minor: int
    lines: list[dict[str, Any]]
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNote:
    """A credit note to store. Without an order it is credited at once; see `CreditNote.State`."""

    shop_id: UUID
    order_id: UUID | None
    reference: str
    kind: str
    currency: str
    amount_minor: int
    lines: Sequence[dict[str, Any]]
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Finished:
    """How a note ended."""

    note_id: UUID
    state: str
    refund_minor: int = 0
    credit_minor: int = 0


def insert(notes: Sequence[NewNote], *, now: datetime) -> dict[UUID, NewNote]:
    """Store notes; those whose reference was not taken, by their new ids."""
    by_id = {uuid7(): note for note in notes}
    table = [_stored(note_id, note) for note_id, note in by_id.items()]
    fresh = rows(INSERT, [now, now, *(list(column) for column in zip(*table, strict=True))])
    return {note_id: by_id[note_id] for (note_id,) in fresh}


def ready(limit: int) -> list[tuple[UUID, UUID]]:
    """Notes that can be applied now, oldest first, with their orders: at most one for each order."""
    return [(note_id, order_id) for note_id, order_id in rows(READY, [limit])]


def lock(note_ids: Iterable[UUID]) -> list[Note]:
    """Those still waiting for their saga, locked. Their orders must have been locked before."""
    return [
        Note(note_id, shop_id, order_id, reference, kind, currency, amount, _decoded(lines), tries)
        for note_id, shop_id, order_id, reference, kind, currency, amount, lines, tries in rows(
            LOCK, [sorted(note_ids)]
        )
    ]


def covered(order_ids: Sequence[UUID]) -> dict[UUID, int]:
    """What of the notes of these orders was covered by refunds, in minor units; orders without notes are left out."""
    return dict(rows(COVERED, [list(order_ids)])) if order_ids else {}


def hand_to_sagas(sagas: dict[UUID, UUID], *, now: datetime) -> None:
    """Note which saga gives back which note, by note id."""
    execute(HAND_TO_SAGA, [now, list(sagas), list(sagas.values())])


def become_returns(note_ids: Sequence[UUID], *, now: datetime) -> None:
    """Cancellations that came too late: they wait as returns."""
    if note_ids:
        execute(BECOME_RETURN, [now, list(note_ids)])


def wait_again(note_ids: Sequence[UUID], *, now: datetime) -> None:
    """Notes whose saga turned back: another one takes them up."""
    if note_ids:
        execute(WAIT_AGAIN, [now, list(note_ids)])


def finish(finished: Sequence[Finished], *, now: datetime) -> None:
    """End notes and say so, in the caller's transaction. One that has ended already stays as it is.

    Publishes CreditNoteApplied.
    """
    if not finished:
        return
    by_id = {note.note_id: note for note in finished}
    columns = [(f.note_id, f.state, f.refund_minor, f.credit_minor) for f in by_id.values()]
    ended = rows(FINISH, [now, *(list(column) for column in zip(*columns, strict=True))])
    publish(
        [
            Append(note_id, 2, _applied(by_id[note_id], shop_id, order_id))
            for note_id, shop_id, order_id in ended
        ],
        now=now,
    )


def ever_confirmed(order_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these orders were confirmed once, and so had been paid."""
    streams = log.read_many(list(order_ids)) if order_ids else {}
    return {
        order_id
        for order_id, recorded in streams.items()
        if any(isinstance(r.event, OrderConfirmed) for r in recorded)
    }


def _decoded(value: Any) -> list[dict[str, Any]]:
    # Django leaves jsonb undecoded on raw cursors.
    decoded: list[dict[str, Any]] = json.loads(value) if isinstance(value, str) else value
    return decoded


def _stored(note_id: UUID, note: NewNote) -> tuple[Any, ...]:
    """A row in the order of COLUMNS. What belongs to no order is owed from the beginning."""
    state, credit = (State.WAITING, 0) if note.order_id else (State.CREDITED, note.amount_minor)
    return (
        note_id, note.shop_id, note.order_id, note.reference, note.kind, state, note.currency,
        note.amount_minor, credit, json.dumps(list(note.lines)), note.issued_at,
    )  # fmt: skip


def _applied(finished: Finished, shop_id: UUID, order_id: UUID) -> CreditNoteApplied:
    return CreditNoteApplied(
        credit_note_id=finished.note_id,
        shop_id=shop_id,
        order_id=order_id,
        outcome=finished.state,
        refund_minor=finished.refund_minor,
        credit_minor=finished.credit_minor,
    )
