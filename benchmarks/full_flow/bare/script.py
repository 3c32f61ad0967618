"""Running it: each process does its part of the batches on one connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from benchmarks.full_flow.bare.batch import columns
from benchmarks.full_flow.bare.statements import FLOW
from benchmarks.full_flow.goods import Shop
from benchmarks.full_flow.side import part_of
from benchmarks.side_by_side import workload
from benchmarks.side_by_side.workload import Wanted


@dataclass(frozen=True, kw_only=True)
class Task:
    """So many orders of one name, into one database."""

    conninfo: str
    shop: Shop
    name: str
    orders: int
    placed_at: datetime
    batch: int = 100


def fulfil(
    connection: psycopg.Connection[Any], orders: Sequence[Wanted], shop: Shop, placed_at: datetime
) -> None:
    """The whole flow of one batch, a transaction for each step. The connection must be in autocommit."""
    values = columns(orders, shop, placed_at=placed_at)
    for statements in FLOW:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement, values, prepare=True)


def prepare(task: Task, part: int, of: int) -> Callable[[], None]:
    """A connection and every so-many-th batch: see `side.run`."""
    batches = part_of(workload.in_batches(workload.orders(task.name, task.orders), task.batch), part, of)
    connection = psycopg.connect(task.conninfo, autocommit=True)

    def go() -> None:
        for orders in batches:
            fulfil(connection, orders, task.shop, task.placed_at)

    return go
