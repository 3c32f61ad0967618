"""Running it: processes that share the batches, each with one connection."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.synchronize import Barrier
from typing import Any

import psycopg

from benchmarks.full_flow.bare.batch import columns
from benchmarks.full_flow.bare.statements import FLOW
from benchmarks.full_flow.goods import Shop
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


def fulfil(connection: psycopg.Connection[Any], orders: Sequence[Wanted], shop: Shop, placed_at: datetime) -> None:
    """The whole flow of one batch, a transaction for each step. The connection must be in autocommit."""
    values = columns(orders, shop, placed_at=placed_at)
    for statements in FLOW:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement, values, prepare=True)  # type: ignore[arg-type]


def run(task: Task, *, processes: int) -> float:
    """Do a task in so many processes. Returns the seconds from the first batch to the last commit.

    They are up, connected and have their orders at hand before the clock starts. Raises RuntimeError if one fails.
    """
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(processes + 1)
    children = [
        context.Process(target=_work, args=(task, part, processes, together), daemon=True)
        for part in range(processes)
    ]
    for child in children:
        child.start()
    try:
        together.wait()
        began = time.monotonic()
        together.wait()
        return time.monotonic() - began
    except threading.BrokenBarrierError:
        raise RuntimeError("A process of the bare script failed; what it said stands above.") from None
    finally:
        for child in children:
            child.join()


def _work(task: Task, part: int, processes: int, together: Barrier) -> None:
    """Every so many-th batch, between two meetings of all."""
    try:
        batches = workload.in_batches(workload.orders(task.name, task.orders), task.batch)[part::processes]
        with psycopg.connect(task.conninfo, autocommit=True) as connection:
            together.wait()
            for orders in batches:
                fulfil(connection, orders, task.shop, task.placed_at)
        together.wait()
    except BaseException:
        together.abort()
        raise
