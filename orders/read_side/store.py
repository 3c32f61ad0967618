"""Rows of the read side in and out of one slot: a fixed number of statements, whatever the number of orders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from uuid import UUID

from orders.contract import GOODS, OrderPlaced
from orders.read_side.row import CHANGING, COLUMNS, COUNTED_BY, FROZEN, LOADED, TIMES, Cell, OrderRow
from sagas.sql import execute, rows

#: Read and written as text, and kept as this.
CASTS = {"skus": "text[]", "charges": "jsonb"}


def _arrays(columns: Mapping[str, str]) -> str:
    return ", ".join(f"%s::{kind}[]" for kind in columns.values())


def _changes(new: str) -> str:
    """What a row becomes. A fold does not read times: one it has not set stays, unless the shipment is another."""
    values = {name: f"{new}.{name}" for name in CHANGING if name != "order_id"}
    values |= {name: f"coalesce({new}.{name}, v.{name})" for name in TIMES}
    for name in ("handed_over_at", "delivered_at"):
        same = f"v.shipment_id IS NOT DISTINCT FROM {new}.shipment_id"
        values[name] = f"CASE WHEN {same} THEN {values[name]} ELSE {new}.{name} END"
    return ", ".join(f"{name} = {value}" for name, value in values.items())


_CASTED = ", ".join(f"u.{name}::{CASTS[name]}" if name in CASTS else f"u.{name}" for name in COLUMNS)
_FIRST = ", ".join(f"{name} = excluded.{name}" for name in (*FROZEN, *sorted(COUNTED_BY)))

LOAD = f"""
SELECT {", ".join(LOADED)} FROM orders_orderview WHERE slot = %s AND order_id = ANY(%s::uuid[])
 ORDER BY order_id FOR NO KEY UPDATE
"""  # noqa: S608 - names of columns only
#: A row seen for the first time, or for the first time with its OrderPlaced.
BEGIN = f"""
INSERT INTO orders_orderview AS v (slot, {", ".join(COLUMNS)})
SELECT %s, {_CASTED} FROM unnest({_arrays(COLUMNS)}) AS u ({", ".join(COLUMNS)})
ON CONFLICT (slot, order_id) DO UPDATE SET {_FIRST}, {_changes("excluded")}
"""  # noqa: S608 - names of columns only
CHANGE = f"""
UPDATE orders_orderview v SET {_changes("u")}
  FROM unnest({_arrays(CHANGING)}) AS u ({", ".join(CHANGING)}) WHERE v.slot = %s AND v.order_id = u.order_id
"""  # noqa: S608 - names of columns only

_whole = attrgetter(*COLUMNS)
_changing = attrgetter(*CHANGING)

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
    """Lock these orders' rows, in id order: of each what a fold has to know. Those without a row are left out."""
    return {row[0]: OrderRow(*row) for row in rows(LOAD, [slot, list(order_ids)])}


def begin(new: Iterable[OrderRow], *, slot: int) -> None:
    """Write whole rows."""
    table = [_whole(row) for row in sorted(new, key=_id)]
    if table:
        execute(BEGIN, [slot, *map(list, zip(*table, strict=True))])


def change(known: Iterable[OrderRow], *, slot: int) -> None:
    """Write what events after the first have changed, on rows that are there."""
    table = [_changing(row) for row in known]
    if table:
        execute(CHANGE, [*map(list, zip(*table, strict=True)), slot])


def _id(row: OrderRow) -> int:
    return row.order_id.int


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
