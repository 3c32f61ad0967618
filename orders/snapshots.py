"""Snapshots of long orders: the aggregate as it stood, kept beside its events so that replays stay short.

Written by `orders.repository` in the commit of the events, read by `orders.history`. A snapshot is believed only by
code whose aggregate has the same fields.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from orders.aggregate import Order
from orders.lines import Line
from orders.states import LockKind, State
from sagas.log import BETWEEN
from sagas.sql import execute, rows

logger = structlog.get_logger(__name__)

#: A snapshot each time a stream passes a multiple of this. A usual order has 7 to 12 events.
EVERY = 50
#: Raised when an event comes to mean something else to the aggregate, though its fields stay.
MEANING = 1

STORE = """
INSERT INTO orders_snapshot (order_id, version, data, shape, at)
SELECT u.*, %s, %s::timestamptz
  FROM unnest(%s::uuid[], %s::int[], string_to_array(%s, E'\\x1e')::jsonb[]) AS u
ON CONFLICT (order_id, version) DO NOTHING
"""

NEWEST = """
SELECT data, at FROM orders_snapshot
 WHERE order_id = %s AND version <= %s AND shape = %s ORDER BY version DESC LIMIT 1
"""

KINDS: dict[str, Callable[[str], Any]] = {
    "UUID": UUID,
    "datetime": datetime.fromisoformat,
    "State": State,
    "LockKind": LockKind,
}


@dataclass(frozen=True, slots=True)
class Kept:
    """An order as a snapshot has it. `at` is the time of its last event."""

    order: Order
    at: datetime


def due(order: Order) -> bool:
    """Whether what the order has decided takes its stream past a multiple of EVERY."""
    return order.version // EVERY > (order.version - len(order.changes)) // EVERY


def shape() -> str:
    """What tells the aggregate's fields and their meaning from those of other code."""
    told = [f"{f.name}: {f.type}" for kind in (Order, Line) for f in fields(kind)]
    return hashlib.sha256("\n".join([str(MEANING), *told]).encode()).hexdigest()[:16]


def store(orders: Sequence[Order], *, now: datetime) -> None:
    """Keep orders as they stand, with their lines. One statement."""
    data = BETWEEN.join(json.dumps(_encoded(order), default=_text) for order in orders)
    execute(STORE, [shape(), now, [o.id for o in orders], [o.version for o in orders], data])


def newest(order_id: UUID, *, upto: int) -> Kept | None:
    """The newest snapshot not beyond a version that this code can make sense of, or None."""
    for data, at in rows(NEWEST, [order_id, upto, shape()]):
        try:
            return Kept(_decoded(json.loads(data) if isinstance(data, str) else data), at)
        except (KeyError, TypeError, ValueError) as error:
            # Not the truth, only a shortcut: the events are.
            logger.warning("snapshot_ignored", order_id=str(order_id), error=repr(error)[:200])
    return None


def _encoded(order: Order) -> dict[str, Any]:
    return order.snapshot() | {"lines": [asdict(line) for line in order.lines.values()]}


def _decoded(data: dict[str, Any]) -> Order:
    kinds = {f.name: str(f.type).removesuffix(" | None") for f in fields(Order)}
    lines = {item["position"]: Line(**item) for item in data.pop("lines")}
    return Order(**{name: _read(kinds[name], value) for name, value in data.items()}, lines=lines)


def _read(kind: str, value: Any) -> Any:
    return value if value is None or kind not in KINDS else KINDS[kind](value)


def _text(value: UUID | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
