"""The replay: every order's stream through the aggregate, compared with its row and lines, column by column.

The one part of the audit that runs code of an app: the promise is about that code. Streams are read whole, no snapshot
is believed. Batches go by key, so memory is bounded by a batch whatever the number of orders.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orders.aggregate import BrokenStream, Order
from orders.repository import COLUMNS
from sagas import log
from sagas.sql import rows

BATCH = 2_000
FIRST = UUID(int=0)

ORDERS = f"""
SELECT {", ".join(COLUMNS)} FROM orders_order WHERE id > %s ORDER BY id LIMIT %s
"""  # noqa: S608 - names of columns only

LINES = """
SELECT order_id, position, sku, kind, quantity, cancelled_quantity, returned_quantity, refunded_quantity,
       refunded_minor, name, unit_price_minor, tax_minor, discount_minor, total_minor
  FROM orders_orderline WHERE order_id = ANY(%s::uuid[])
"""
OF_LINE = ("position", "sku", "kind", "quantity", "cancelled", "returned", "refunded", "refunded_minor")
FROZEN = ("name", "unit_price_minor", "tax_minor", "discount_minor", "total_minor")

#: Streams that begin as an order's and have no row.
WITHOUT_ROW = """
SELECT e.stream FROM sagas_event e
 WHERE e.version = 1 AND e.type = 'orders.OrderPlaced' AND NOT EXISTS (SELECT FROM orders_order o WHERE o.id = e.stream)
"""

Breach = tuple[object, ...]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Stored:
    """An order as its rows have it."""

    row: dict[str, Any]
    lines: dict[int, tuple[Any, ...]]

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"order {self.row['external_reference']}"


def replay_orders(progress: Progress, *, batch: int = BATCH) -> Iterator[Breach]:
    """Every difference between an order's rows and its events. `progress` hears how many orders are done."""
    yield from ((f"stream {stream}", "no row") for (stream,) in rows(WITHOUT_ROW))
    done, after = 0, FIRST
    while stored := _stored(after, batch):
        streams = _streams(stored)
        for order_id, one in stored.items():
            yield from _compared(one, streams.pop(order_id, []))
        done, after = done + len(stored), next(reversed(stored))
        progress(done)


def _stored(after: UUID, batch: int) -> dict[UUID, Stored]:
    found = rows(ORDERS, [after, batch])
    orders = {row[0]: Stored(dict(zip(COLUMNS, row, strict=True)), {}) for row in found}
    for order_id, *line in rows(LINES, [list(orders)]):
        orders[order_id].lines[line[0]] = tuple(line)
    for one in orders.values():
        one.row["charges"] = _json(one.row["charges"])
    return orders


def _streams(order_ids: Iterable[UUID]) -> dict[UUID, list[tuple[Any, ...]]]:
    """The events of many orders as they are stored: one that cannot be read is that order's trouble alone."""
    found: dict[UUID, list[tuple[Any, ...]]] = {}
    for row in rows(log.READ_MANY, [list(order_ids)]):
        found.setdefault(row[3], []).append(row)
    return found


def _compared(stored: Stored, events: Sequence[tuple[Any, ...]]) -> Iterator[Breach]:
    try:
        stream = log.recorded_all(events)
        order = Order.from_events(stream)
    except (BrokenStream, KeyError, TypeError, ValueError) as error:
        yield stored.name, f"cannot be replayed: {error}"
        return
    for column, value in order.snapshot().items():
        if stored.row[column] != value:
            yield stored.name, column, stored.row[column], value
    yield from _compared_lines(stored, _lines(order, stream[0]))


def _compared_lines(stored: Stored, told: dict[int, tuple[Any, ...]]) -> Iterator[Breach]:
    if stored.lines == told:
        return
    for position in sorted({*stored.lines, *told}):
        row, fact = stored.lines.get(position), told.get(position)
        if row != fact:
            yield stored.name, f"line {position}", row or "no row", fact or "no event"


def _lines(order: Order, first: log.Recorded) -> dict[int, tuple[Any, ...]]:
    placed: Any = first.event
    frozen = {item["position"]: tuple(item[name] for name in FROZEN) for item in placed.lines}
    return {
        position: tuple(getattr(line, name) for name in OF_LINE) + frozen[position]
        for position, line in order.lines.items()
    }


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
