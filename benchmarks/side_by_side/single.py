"""The shop's work for one order: what a step of a peer does, in the transaction the peer gives it.

Each takes a psycopg cursor. What a step needs of the order it reads by its id, as any such shop does; whoever has
it at hand may pass it on.
"""

from __future__ import annotations

from typing import Any

import psycopg

from benchmarks.side_by_side.workload import Wanted

Cursor = psycopg.Cursor[Any]


class OrderRefused(Exception):
    """The last step says no: everything has to be given back."""


def place(cursor: Cursor, order: Wanted) -> None:
    """Write the order and its lines."""
    cursor.execute(
        "INSERT INTO shop_order (id, reference, state, total_minor, fails) VALUES (%s, %s, 'pending', %s, %s)",
        (order.id, order.reference, order.total_minor, order.fails),
    )
    cursor.execute(
        "INSERT INTO shop_line SELECT %s, * FROM unnest(%s::smallint[], %s::text[], %s::int[], %s::bigint[])",
        (
            order.id,
            list(range(1, len(order.lines) + 1)),
            [line.sku for line in order.lines],
            [line.quantity for line in order.lines],
            [line.price_minor for line in order.lines],
        ),
    )


def authorize(cursor: Cursor, order_id: str) -> None:
    """Hold the money."""
    cursor.execute(
        "INSERT INTO shop_payment SELECT id, total_minor, 'authorized' FROM shop_order WHERE id = %s",
        (order_id,),
    )


def void(cursor: Cursor, order_id: str) -> None:
    """Let the money go, and end the order."""
    cursor.execute("UPDATE shop_payment SET state = 'voided' WHERE order_id = %s", (order_id,))
    cursor.execute(
        "UPDATE shop_order SET state = 'rejected', ended_at = clock_timestamp() WHERE id = %s", (order_id,)
    )


def reserve(cursor: Cursor, order_id: str) -> None:
    """Hold the goods: rows of stock by SKU, so that no two orders wait for each other."""
    _move_stock(cursor, order_id, 1)
    cursor.execute("INSERT INTO shop_reservation VALUES (%s, 'held')", (order_id,))


def release(cursor: Cursor, order_id: str) -> None:
    """Give the goods back."""
    _move_stock(cursor, order_id, -1)
    cursor.execute("UPDATE shop_reservation SET state = 'released' WHERE order_id = %s", (order_id,))


def book(cursor: Cursor, order_id: str) -> None:
    """Ask for a parcel."""
    cursor.execute("INSERT INTO shop_shipment VALUES (%s, 'booked')", (order_id,))


def cancel(cursor: Cursor, order_id: str) -> None:
    """Need no parcel any more."""
    cursor.execute("UPDATE shop_shipment SET state = 'cancelled' WHERE order_id = %s", (order_id,))


def confirm(cursor: Cursor, order_id: str) -> None:
    """End the order well. Raises OrderRefused for one that fails."""
    cursor.execute(
        "UPDATE shop_order SET state = 'confirmed', ended_at = clock_timestamp() WHERE id = %s AND NOT fails",
        (order_id,),
    )
    if not cursor.rowcount:
        raise OrderRefused(order_id)


def _move_stock(cursor: Cursor, order_id: str, sign: int) -> None:
    cursor.execute(
        "WITH wanted AS (SELECT sku, quantity FROM shop_line WHERE order_id = %(id)s),"
        " locked AS (SELECT s.sku FROM shop_stock s WHERE s.sku IN (SELECT sku FROM wanted) ORDER BY s.sku"
        " FOR NO KEY UPDATE)"
        " UPDATE shop_stock s SET held = s.held + %(sign)s * w.quantity FROM wanted w JOIN locked l USING (sku)"
        " WHERE s.sku = w.sku",
        {"id": order_id, "sign": sign},
    )


#: The way forward, and what gives each step back.
STEPS = ((authorize, void), (reserve, release), (book, cancel), (confirm, None))
