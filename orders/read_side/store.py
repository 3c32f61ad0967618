"""Rows of the read side in and out of one slot: a fixed number of statements, whatever the number of orders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from uuid import UUID

from orders.contract import GOODS, OrderPlaced
from orders.read_side.row import CHANGING, COLUMNS, COUNTED_BY, FROZEN, LOADED, TIMES, Cell, OrderRow
from sagas.sql import execute, rows

#: The key, and what follows from all that a row says.
ALWAYS = ("order_id", "progress")
#: Read and written as text, and kept as this.
CASTS = {"skus": "text[]", "charges": "jsonb"}


def _arrays(columns: Mapping[str, str]) -> str:
    return ", ".join(f"%s::{kind}[]" for kind in columns.values())


def _changes(new: str, columns: Iterable[str]) -> str:
    """What a row becomes. A fold does not read times: one it has not set stays, unless the shipment is another."""
    values = {name: f"{new}.{name}" for name in columns if name != "order_id"}
    values |= {name: f"coalesce({new}.{name}, v.{name})" for name in TIMES if name in values}
    for name in values.keys() & {"handed_over_at", "delivered_at"}:
        same = f"v.shipment_id IS NOT DISTINCT FROM {new}.shipment_id"
        values[name] = f"CASE WHEN {same} THEN {values[name]} ELSE {new}.{name} END"
    return ", ".join(f"{name} = {value}" for name, value in values.items())


_CASTED = ", ".join(f"u.{name}::{CASTS[name]}" if name in CASTS else f"u.{name}" for name in COLUMNS)
_FIRST = ", ".join(f"{name} = excluded.{name}" for name in (*FROZEN, *sorted(COUNTED_BY)))

LOAD = f"""
SELECT {", ".join(LOADED)} FROM orders_orderview WHERE slot = %s AND order_id = ANY(%s::uuid[])
"""  # noqa: S608 - names of columns only
#: A row seen for the first time, or for the first time with its OrderPlaced.
BEGIN = f"""
INSERT INTO orders_orderview AS v (slot, {", ".join(COLUMNS)})
SELECT %s, {_CASTED} FROM unnest({_arrays(COLUMNS)}) AS u ({", ".join(COLUMNS)})
ON CONFLICT (slot, order_id) DO UPDATE SET {_FIRST}, {_changes("excluded", CHANGING)}
"""  # noqa: S608 - names of columns only
CHANGE = """
UPDATE orders_orderview v SET {changes} FROM unnest({arrays}) AS u ({columns})
 WHERE v.slot = %s AND v.order_id = u.order_id
"""

_whole = attrgetter(*COLUMNS)

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
    """Of each of these orders' rows what a fold has to know. Those without a row are left out.

    They need no lock: whoever folds into a slot does so alone, by the lock of its checkpoint or of its build.
    """
    return {row[0]: OrderRow(*row) for row in rows(LOAD, [slot, list(order_ids)])}


def begin(new: Iterable[OrderRow], *, slot: int) -> None:
    """Write whole rows."""
    table = [_whole(row) for row in sorted(new, key=_id)]
    if table:
        execute(BEGIN, [slot, *map(list, zip(*table, strict=True))])


def change(known: Iterable[OrderRow], columns: Collection[str], *, slot: int) -> None:
    """Write what events after the first have changed, in these columns, on rows that are there."""
    names = tuple(name for name in CHANGING if name in columns or name in ALWAYS)
    table = [attrgetter(*names)(row) for row in known]
    if table:
        execute(_change(names), [*map(list, zip(*table, strict=True)), slot])


@cache
def _change(names: tuple[str, ...]) -> str:
    arrays = _arrays({name: CHANGING[name] for name in names})
    return CHANGE.format(changes=_changes("u", names), arrays=arrays, columns=", ".join(names))


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
