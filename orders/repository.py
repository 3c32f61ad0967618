"""Orders in and out of the database: loaded and locked as aggregates, stored as rows and events together.

Every change of an order goes through here, a batch at a time: a fixed number of statements, whatever the
number of orders. Rows are locked in id order, so two batches cannot deadlock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from orders import snapshots
from orders.aggregate import Order
from orders.contract import AddressCorrected, OrderPlaced
from orders.lines import Line
from orders.states import LockKind, State
from sagas.log import Append, publish
from sagas.sql import execute, rows
from sagas.verdicts import ConcurrencyConflict

COLUMNS = (
    "id", "shop_id", "external_reference", "version", "state", "person_id", "country", "payment_method",
    "fulfilment", "in_parcels", "currency", "total_minor", "goods_minor", "charges_minor", "cancelled_minor",
    "returned_minor", "refunded_minor", "charges",
    "lock_saga", "lock_kind", "lock_since", "on_hold", "hold_reason", "hold_owner", "needs_attention",
    "attention_reason", "end_code", "cancel_reason", "placed_at", "received_at", "moved_at",
)  # fmt: skip

LOCK = f"""
SELECT {", ".join(COLUMNS)} FROM orders_order WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""  # noqa: S608 - names of columns only

LINES = """
SELECT order_id, position, sku, kind, quantity, cancelled_quantity, returned_quantity, refunded_quantity,
       refunded_minor, total_minor
  FROM orders_orderline WHERE order_id = ANY(%s::uuid[]) ORDER BY order_id, position
"""

#: What an event may change, with its type. Everything else but the person is frozen when it is placed.
CHANGING = {
    "version": "int", "state": "text", "cancelled_minor": "bigint", "returned_minor": "bigint",
    "refunded_minor": "bigint", "lock_saga": "uuid", "lock_kind": "text", "lock_since": "timestamptz",
    "on_hold": "boolean", "hold_reason": "text", "hold_owner": "text", "needs_attention": "boolean",
    "attention_reason": "text",
    "end_code": "text", "cancel_reason": "text", "moved_at": "timestamptz",
}  # fmt: skip

STORE = f"""
UPDATE orders_order o SET {", ".join(f"{name} = u.{name}" for name in CHANGING)}
  FROM unnest(%s::uuid[], %s::int[], {", ".join(f"%s::{kind}[]" for kind in CHANGING.values())})
    AS u (id, loaded, {", ".join(CHANGING)})
 WHERE o.id = u.id AND o.version = u.loaded
"""  # noqa: S608 - names of columns only

#: One in a thousand orders goes to another address than it was placed with: the others do not pay for it.
STORE_PEOPLE = """
UPDATE orders_order o SET person_id = u.person_id
  FROM unnest(%s::uuid[], %s::uuid[]) AS u (id, person_id) WHERE o.id = u.id
"""

STORE_LINES = """
UPDATE orders_orderline l SET cancelled_quantity = u.cancelled, returned_quantity = u.returned,
       refunded_quantity = u.refunded, refunded_minor = u.refunded_minor
  FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::int[], %s::int[], %s::bigint[])
    AS u (order_id, position, cancelled, returned, refunded, refunded_minor)
 WHERE l.order_id = u.order_id AND l.position = u.position
"""

#: What a new order is stored with; the rest is empty.
NEW = {
    "id": "uuid", "shop_id": "uuid", "external_reference": "text", "person_id": "uuid", "country": "text",
    "payment_method": "text", "fulfilment": "text", "in_parcels": "boolean", "currency": "text",
    "total_minor": "bigint",
    "goods_minor": "bigint", "charges_minor": "bigint", "charges": "jsonb", "placed_at": "timestamptz",
    "version": "int", "state": "text", "lock_saga": "uuid", "lock_kind": "text", "lock_since": "timestamptz",
}  # fmt: skip

LINE = {
    "order_id": "uuid", "position": "int", "sku": "text", "name": "text", "kind": "text", "quantity": "int",
    "unit_price_minor": "bigint", "tax_minor": "bigint", "discount_minor": "bigint", "total_minor": "bigint",
}  # fmt: skip

# One statement for one order and for hundreds. The rows go in by reference, so that two batches with the same
# references wait for each other in one order.
INSERT = f"""
WITH fresh AS (
  INSERT INTO orders_order ({", ".join(NEW)}, cancelled_minor, returned_minor,
         on_hold, hold_reason, hold_owner, needs_attention, attention_reason, end_code, cancel_reason,
         received_at, moved_at)
  SELECT u.*, 0, 0, false, '', '', false, '', '', '', %s::timestamptz, %s::timestamptz
    FROM unnest({", ".join(f"%s::{kind}[]" for kind in NEW.values())}) AS u ({", ".join(NEW)})
   ORDER BY u.external_reference, u.shop_id
  ON CONFLICT (external_reference, shop_id) DO NOTHING
  RETURNING id
), lines AS (
  INSERT INTO orders_orderline ({", ".join(LINE)}, cancelled_quantity, returned_quantity)
  SELECT u.*, 0, 0
    FROM json_to_recordset(%s::json) AS u ({", ".join(f"{name} {kind}" for name, kind in LINE.items())})
   WHERE u.order_id IN (SELECT id FROM fresh)
)
SELECT id FROM fresh
"""  # noqa: S608 - names of columns only

FIND = """
SELECT shop_id, external_reference, id
  FROM orders_order JOIN unnest(%s::text[], %s::uuid[]) AS w (external_reference, shop_id)
 USING (external_reference, shop_id)
"""

Key = tuple[UUID, str]


def find(keys: Sequence[Key]) -> dict[Key, UUID]:
    """The ids of the orders that shops have sent under these references."""
    found = rows(FIND, [[reference for _, reference in keys], [shop for shop, _ in keys]])
    return {(shop, reference): order_id for shop, reference, order_id in found}


def insert(orders: Sequence[Order], *, now: datetime, correlation_id: str, actor: str) -> set[UUID]:
    """Store new orders with their lines and first events; the ids of those whose reference was not taken.

    Must run in a transaction. One that loses its reference to a twin leaves nothing behind.
    """
    fresh = {row[0] for row in rows(INSERT, [now, now, *_new(orders), _lines(orders)])}
    events = [a for order in orders if order.id in fresh for a in _appends(order, correlation_id)]
    publish(events, now=now, actor=actor)
    for order in orders:
        order.changes.clear()
    return fresh


def load(order_ids: Iterable[UUID], *, with_lines: bool = False) -> dict[UUID, Order]:
    """Lock orders until the end of the transaction, in id order. Those that do not exist are left out."""
    wanted = sorted(set(order_ids))
    orders = {row[0]: _from_row(row) for row in rows(LOCK, [wanted])}
    if with_lines:
        _add_lines(orders)
    return orders


def save(
    orders: Iterable[Order],
    *,
    now: datetime,
    actor: str = "system",
    reason: str = "",
    correlations: Mapping[UUID, str] | None = None,
) -> None:
    """Store what the loaded orders have decided: rows, lines and events, in the caller's transaction.

    `now` must be the time the decisions were made with; `correlations` are by order id. Orders without
    changes cost nothing, and one whose stream has become long leaves a snapshot. Raises ConcurrencyConflict
    if an order moved since it was loaded.
    """
    changed = [order for order in orders if order.changes]
    if not changed:
        return
    if execute(STORE, _changing(changed)) != len(changed):
        raise ConcurrencyConflict("An order has moved since it was loaded.")
    _save_lines(changed)
    _save_people([o for o in changed if any(isinstance(event, AddressCorrected) for event in o.changes)])
    events = [a for order in changed for a in _appends(order, (correlations or {}).get(order.id, ""))]
    publish(events, now=now, actor=actor, reason=reason)
    _keep_snapshots([order for order in changed if snapshots.due(order)], now=now)
    for order in changed:
        order.changes.clear()


def _add_lines(orders: Mapping[UUID, Order]) -> None:
    for order_id, *values in rows(LINES, [sorted(orders)]):
        orders[order_id].lines[values[0]] = Line(*values)


def _keep_snapshots(orders: Sequence[Order], *, now: datetime) -> None:
    if orders:
        _add_lines({order.id: order for order in orders if not order.lines})
        snapshots.store(orders, now=now)


def _appends(order: Order, correlation_id: str) -> list[Append]:
    first = order.version - len(order.changes) + 1
    return [
        Append(order.id, version, event, correlation_id)
        for version, event in enumerate(order.changes, start=first)
    ]


def _save_lines(orders: Sequence[Order]) -> None:
    lines = [(o.id, line) for o in orders for line in o.lines.values() if line.left < line.quantity]
    if lines:
        columns = [
            (i, line.position, line.cancelled, line.returned, line.refunded, line.refunded_minor)
            for i, line in lines
        ]
        execute(STORE_LINES, [list(column) for column in zip(*columns, strict=True)])


def _save_people(orders: Sequence[Order]) -> None:
    if orders:
        execute(STORE_PEOPLE, [[o.id for o in orders], [o.person_id for o in orders]])


def _changing(orders: Sequence[Order]) -> list[list[Any]]:
    loaded = [order.version - len(order.changes) for order in orders]
    return [[o.id for o in orders], loaded, *([getattr(o, name) for o in orders] for name in CHANGING)]


def _new(orders: Sequence[Order]) -> list[list[Any]]:
    return [
        [json.dumps(o.charges) if name == "charges" else getattr(o, name) for o in orders] for name in NEW
    ]


def _lines(orders: Sequence[Order]) -> str:
    """All lines as one document: for an order of a thousand lines it costs half of what arrays do."""
    placed = [event for order in orders for event in order.changes if isinstance(event, OrderPlaced)]
    return json.dumps([line | {"order_id": str(event.order_id)} for event in placed for line in event.lines])


def _from_row(row: Sequence[Any]) -> Order:
    values = dict(zip(COLUMNS, row, strict=True))
    values["state"], values["lock_kind"] = State(values["state"]), LockKind(values["lock_kind"])
    # Django leaves jsonb undecoded on raw cursors.
    values["charges"] = (
        json.loads(values["charges"]) if isinstance(values["charges"], str) else values["charges"]
    )
    return Order(**values)
