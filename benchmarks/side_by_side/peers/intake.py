"""Taking orders in, the same for all peers: in batches for a load, in the single style for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from benchmarks.side_by_side import batches, single
from benchmarks.side_by_side.workload import Line, Wanted

#: So many orders go into one transaction of a load.
AT_ONCE = 250


def place_batch(cursor: single.Cursor, orders: Sequence[Wanted]) -> None:
    """Write orders and their lines in two statements, in the caller's transaction."""
    cursor.execute(
        batches.PLACE,
        (
            [o.id for o in orders],
            [o.reference for o in orders],
            [o.total_minor for o in orders],
            [o.fails for o in orders],
        ),
    )
    lines = [(o.id, n, line) for o in orders for n, line in enumerate(o.lines, start=1)]
    cursor.execute(
        batches.PLACE_LINES,
        (
            [i for i, _, _ in lines],
            [n for _, n, _ in lines],
            [line.sku for _, _, line in lines],
            [line.quantity for _, _, line in lines],
            [line.price_minor for _, _, line in lines],
        ),
    )


def place_one(connection: psycopg.Connection[Any], order: Wanted) -> None:
    """Write one order in a transaction of its own."""
    with connection.transaction(), connection.cursor() as cursor:
        single.place(cursor, order)


def pack(orders: Sequence[Wanted]) -> list[Any]:
    """Orders as plain lists, for a pipe."""
    return [
        [str(o.id), o.reference, [[x.sku, x.quantity, x.price_minor] for x in o.lines], o.fails]
        for o in orders
    ]


def unpack(packed: Sequence[Any]) -> list[Wanted]:
    """The orders again."""
    return [
        Wanted(UUID(i), reference, tuple(Line(*line) for line in lines), fails)
        for i, reference, lines, fails in packed
    ]
