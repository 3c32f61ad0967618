"""Returns in and out of the database, a batch at a time: rows, lines and events together.

Whoever changes returns holds the rows of their orders, so one lock decides every race about the pieces of an order.
The version is a second look: an outdated write finds no row.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from orders.returns.aggregate import BackLine, Return
from orders.returns.states import OPEN, State
from sagas.log import Append, publish
from sagas.sql import execute, rows
from sagas.verdicts import ConcurrencyConflict

COLUMNS = {
    "id": "uuid", "shop_id": "uuid", "order_id": "uuid", "number": "int", "saga_id": "uuid",
    "due_at": "timestamptz", "requested_at": "timestamptz", "moved_at": "timestamptz", "origin": "text",
    "reason": "text", "asked_by": "text", "late": "boolean", "shipment_id": "uuid", "version": "int", "state": "text",
    "unexpected": "jsonb", "refund_minor": "bigint", "credit_minor": "bigint", "end_code": "text",
    "received_at": "timestamptz", "inspected_at": "timestamptz",
}  # fmt: skip
#: What may change after the request.
CHANGING = (
    "version", "state", "unexpected", "refund_minor", "credit_minor", "end_code", "received_at", "inspected_at",
    "moved_at", "shipment_id",
)  # fmt: skip
LINE = {
    "back_id": "uuid", "position": "int", "sku": "text", "asked": "int", "received": "int", "accepted": "int",
    "rejected": "int", "restock": "int", "reject_reason": "text",
}  # fmt: skip
COUNTED = ("received", "accepted", "rejected", "restock", "reject_reason")

SELECT = f"SELECT {', '.join(COLUMNS)} FROM orders_return WHERE"  # noqa: S608 - names of columns only
BY_ID = f"{SELECT} id = ANY(%s::uuid[])"
BY_SAGA = f"{SELECT} saga_id = ANY(%s::uuid[])"
BY_ORDER = f"{SELECT} order_id = ANY(%s::uuid[]) ORDER BY order_id, number"
LINES = f"""
SELECT {", ".join(LINE)} FROM orders_returnline WHERE back_id = ANY(%s::uuid[]) ORDER BY back_id, position
"""  # noqa: S608 - names of columns only
ORDER = "SELECT order_id FROM orders_return WHERE id = %s"

INSERT = f"""
INSERT INTO orders_return ({", ".join(COLUMNS)})
SELECT * FROM unnest({", ".join(f"%s::{kind}[]" for kind in COLUMNS.values())})
"""  # noqa: S608 - names of columns only
STORE = f"""
UPDATE orders_return r SET {", ".join(f"{name} = u.{name}" for name in CHANGING)}
  FROM unnest(%s::uuid[], %s::int[], {", ".join(f"%s::{COLUMNS[name]}[]" for name in CHANGING)})
    AS u (id, loaded, {", ".join(CHANGING)})
 WHERE r.id = u.id AND r.version = u.loaded
"""  # noqa: S608 - names of columns only
# A line that was not asked for is made when it is received.
STORE_LINES = f"""
INSERT INTO orders_returnline AS l ({", ".join(LINE)})
SELECT * FROM unnest({", ".join(f"%s::{kind}[]" for kind in LINE.values())})
ON CONFLICT (back_id, position) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in COUNTED)}
"""  # noqa: S608 - names of columns only


def order_of(return_id: UUID) -> UUID | None:
    """The order of a return, which has to be locked before it; None if there is no such return."""
    found = rows(ORDER, [return_id])
    return found[0][0] if found else None


def by_id(return_id: UUID) -> Return | None:
    """One return with its lines. Its order must be locked if it is to be changed."""
    return next(iter(_load(BY_ID, [return_id])), None)


def of_sagas(saga_ids: Collection[UUID]) -> dict[UUID, Return]:
    """The returns that these sagas carry out, by saga. Their orders must be locked."""
    return {found.saga_id: found for found in _load(BY_SAGA, saga_ids)}


def of_orders(order_ids: Collection[UUID]) -> dict[UUID, list[Return]]:
    """All returns of orders, oldest first; an order without one is left out."""
    found: dict[UUID, list[Return]] = defaultdict(list)
    for one in _load(BY_ORDER, order_ids):
        found[one.order_id].append(one)
    return found


def spoken_for(returns: Iterable[Return], *, besides: UUID | None = None) -> dict[int, int]:
    """Pieces of one order's lines that are in its open returns, by position; not counting the return `besides`."""
    pieces: dict[int, int] = defaultdict(int)
    for one in returns:
        if one.state in OPEN and one.id != besides:
            for line in one.lines.values():
                pieces[line.position] += line.spoken_for(one.state)
    return pieces


def insert(returns: Sequence[Return], *, now: datetime, actor: str, correlation_id: str = "") -> None:
    """Store new returns with their lines and events, in the caller's transaction that holds their orders."""
    if not returns:
        return
    table = [[_stored(one, name) for one in returns] for name in COLUMNS]
    execute(INSERT, table)
    _save_lines(returns)
    _publish(
        returns, now=now, actor=actor, reason="", correlations=dict.fromkeys(_ids(returns), correlation_id)
    )


def save(
    returns: Iterable[Return],
    *,
    now: datetime,
    actor: str = "system",
    reason: str = "",
    correlations: Mapping[UUID, str] | None = None,
) -> None:
    """Store what returns have decided: rows, lines and events. `correlations` are by return id.

    Returns without changes cost nothing. Raises ConcurrencyConflict if one moved since it was loaded.
    """
    changed = [one for one in returns if one.changes]
    if not changed:
        return
    loaded = [one.version - len(one.changes) for one in changed]
    table = [[_stored(one, name) for one in changed] for name in CHANGING]
    if execute(STORE, [_ids(changed), loaded, *table]) != len(changed):
        raise ConcurrencyConflict("A return has moved since it was loaded.")
    _save_lines(changed)
    _publish(changed, now=now, actor=actor, reason=reason, correlations=correlations or {})


def _load(sql: str, ids: Collection[UUID]) -> list[Return]:
    found = [_from_row(row) for row in rows(sql, [list(ids)])] if ids else []
    by_id = {one.id: one for one in found}
    for back_id, *values in rows(LINES, [list(by_id)]) if by_id else ():
        by_id[back_id].lines[values[0]] = BackLine(*values)
    return found


def _from_row(row: Sequence[Any]) -> Return:
    values = dict(zip(COLUMNS, row, strict=True))
    values["state"] = State(values["state"])
    if isinstance(values["unexpected"], str):  # jsonb comes undecoded from a raw cursor
        values["unexpected"] = json.loads(values["unexpected"])
    return Return(**values)


def _save_lines(returns: Sequence[Return]) -> None:
    lines = [(one.id, line) for one in returns for line in one.lines.values()]
    if lines:
        named = list(LINE)[1:]
        columns = [[getattr(line, name) for _, line in lines] for name in named]
        execute(STORE_LINES, [[back_id for back_id, _ in lines], *columns])


def _publish(
    returns: Sequence[Return],
    *,
    now: datetime,
    actor: str,
    reason: str,
    correlations: Mapping[UUID, str],
) -> None:
    appends = [
        Append(one.id, version, event, correlations.get(one.id, ""))
        for one in returns
        for version, event in enumerate(one.changes, start=one.version - len(one.changes) + 1)
    ]
    publish(appends, now=now, actor=actor, reason=reason)
    for one in returns:
        one.changes.clear()


def _stored(one: Return, name: str) -> Any:
    value = getattr(one, name)
    return json.dumps(value) if COLUMNS[name] == "jsonb" else value


def _ids(returns: Sequence[Return]) -> list[UUID]:
    return [one.id for one in returns]
