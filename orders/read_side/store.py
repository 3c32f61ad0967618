"""Rows of the read side in and out of one slot: a fixed number of statements, whatever the number of orders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from orders.contract import GOODS, OrderPlaced
from orders.read_side.row import COLUMNS, Cell, OrderRow, values_of
from sagas.sql import execute, rows

#: Read and written as text, and kept as this.
CASTS = {"skus": "text[]", "charges": "jsonb"}

_NAMES = ", ".join(COLUMNS)
_READ = ", ".join(f"{name}::text" if name in CASTS else name for name in COLUMNS)
_WRITE = ", ".join(f"u.{name}::{CASTS[name]}" if name in CASTS else f"u.{name}" for name in COLUMNS)
_ARRAYS = ", ".join(f"%s::{kind}[]" for kind in COLUMNS.values())
_SET = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name != "order_id")

LOAD = f"""
SELECT {_READ} FROM orders_orderview WHERE slot = %s AND order_id = ANY(%s::uuid[])
 ORDER BY order_id FOR NO KEY UPDATE
"""  # noqa: S608 - names of columns only
SAVE = f"""
INSERT INTO orders_orderview (slot, {_NAMES})
SELECT %s, {_WRITE} FROM unnest({_ARRAYS}) AS u ({_NAMES})
ON CONFLICT (slot, order_id) DO UPDATE SET {_SET}
"""  # noqa: S608 - names of columns only

SAVE_SKUS = """
INSERT INTO orders_orderviewsku (slot, shop_id, sku, order_id)
SELECT %s, u.* FROM unnest(%s::uuid[], %s::text[], %s::uuid[]) AS u ON CONFLICT DO NOTHING
"""

# A cell that nobody is counted in is no row: else what a slot holds would depend on where its batches ended.
ADD = """
MERGE INTO orders_ordersummary s
USING unnest(%s::uuid[], %s::date[], %s::text[], %s::text[], %s::text[], %s::int[], %s::bigint[], %s::bigint[],
             %s::bigint[]) AS d (shop_id, day, country, status, currency, orders, total, captured, refunded)
   ON s.slot = %s AND (s.shop_id, s.day, s.country, s.status, s.currency)
                    = (d.shop_id, d.day, d.country, d.status, d.currency)
 WHEN MATCHED AND s.orders + d.orders = 0 THEN DELETE
 WHEN MATCHED THEN UPDATE SET orders = s.orders + d.orders, total_minor = s.total_minor + d.total,
      captured_minor = s.captured_minor + d.captured, refunded_minor = s.refunded_minor + d.refunded
 WHEN NOT MATCHED THEN INSERT (slot, shop_id, day, country, status, currency, orders, total_minor,
      captured_minor, refunded_minor)
      VALUES (%s, d.shop_id, d.day, d.country, d.status, d.currency, d.orders, d.total, d.captured, d.refunded)
"""


def load(order_ids: Collection[UUID], *, slot: int) -> dict[UUID, OrderRow]:
    """Lock these orders' rows, in id order; a blank row for each that has none yet."""
    found = {row[0]: OrderRow(*row) for row in rows(LOAD, [slot, list(order_ids)])}
    return {order_id: found.get(order_id) or OrderRow(order_id) for order_id in order_ids}


def save(changed: Iterable[OrderRow], *, slot: int) -> None:
    """Write rows, new or not."""
    table = sorted(values_of(row) for row in changed)
    if table:
        execute(SAVE, [slot, *(list(column) for column in zip(*table, strict=True))])


def save_skus(placed: Sequence[OrderPlaced], *, slot: int) -> None:
    """Note which SKUs of goods newly placed orders hold."""
    wanted = {
        (order.shop_id, line["sku"], order.order_id)
        for order in placed
        for line in order.lines
        if line["kind"] == GOODS
    }
    if wanted:
        execute(SAVE_SKUS, [slot, *(list(column) for column in zip(*sorted(wanted), strict=True))])


def add_to_summary(deltas: Mapping[Cell, list[int]], *, slot: int) -> None:
    """Change cells of the summary by these amounts."""
    if deltas:
        table = [(*cell, *delta) for cell, delta in sorted(deltas.items())]
        execute(ADD, [*(list(column) for column in zip(*table, strict=True)), slot, slot])
