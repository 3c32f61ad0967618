"""The two that run against each other: one engine with few finished orders in its tables, and with many."""

from __future__ import annotations

from typing import Any, ClassVar

import psycopg

from benchmarks.growth.history import History
from benchmarks.side_by_side.waybill.contender import WaybillContender


class Grown(WaybillContender):
    """Waybill with a history of its own size."""

    history: ClassVar[History]

    def remember(self, connection: psycopg.Connection[Any]) -> None:
        """Replace the old orders of the side-by-side benchmark by the history."""
        self.history.write(connection)


def grown(history: History) -> type[Grown]:
    """A contender with this history. Its name says how much."""
    named = {"name": name_of(history.orders), "title": f"{history.orders:,} finished orders"}
    return type("Grown", (Grown,), named | {"history": history})


def name_of(orders: int) -> str:
    """What the one with so many orders is called."""
    return f"orders-{orders}"
