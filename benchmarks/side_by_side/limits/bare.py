"""The shop's work without a saga: nothing is remembered, and what dies half way stays half done."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing import active_children, get_context
from typing import Any, ClassVar

import psycopg

from benchmarks.side_by_side import single
from benchmarks.side_by_side.contender import Contender, Place, Running
from benchmarks.side_by_side.workload import Wanted, in_batches

PROCESSES = 4
#: So many orders are handed to a process at a time.
HANDFUL = 25

Connection = psycopg.Connection[Any]
Act = Callable[[single.Cursor, Any], None]
Sell = Callable[[Connection, Wanted], None]

#: Only the last step refuses, so all that have an undo have something to give back.
UNDOS = [undo for _, undo in reversed(single.STEPS) if undo]


def by_steps(connection: Connection, order: Wanted) -> None:
    """A commit for each step, and for each undo."""

    def commit(act: Act, subject: Any) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            act(cursor, subject)

    _sell(order, commit)


def by_order(connection: Connection, order: Wanted) -> None:
    """One commit for everything, whichever way the order ends."""
    with connection.transaction(), connection.cursor() as cursor:
        _sell(order, lambda act, subject: act(cursor, subject))


def _sell(order: Wanted, run: Callable[[Act, Any], None]) -> None:
    order_id = str(order.id)
    run(single.place, order)
    try:
        for step, _ in single.STEPS:
            run(step, order_id)
    except single.OrderRefused:
        for undo in UNDOS:
            run(undo, order_id)


class BareRunning(Running):
    """A pool of processes with a connection each; one order alone is sold in this process."""

    def __init__(self, pool: ProcessPoolExecutor, conninfo: str, sell: Sell) -> None:
        self._pool = pool
        self._conninfo = conninfo
        self._sell = sell

    def load(self, orders: Sequence[Wanted]) -> None:
        """Hand them out. What went wrong in a process is raised here."""
        handfuls = [
            self._pool.submit(_sell_all, self._conninfo, self._sell, handful)
            for handful in in_batches(orders, HANDFUL)
        ]
        for handful in handfuls:
            handful.result()

    def one(self, order: Wanted) -> None:
        self._sell(_connection(self._conninfo), order)

    def workers(self) -> Sequence[int]:
        return [process.pid for process in active_children() if process.pid]


def _sell_all(conninfo: str, sell: Sell, orders: Sequence[Wanted]) -> None:
    for order in orders:
        sell(_connection(conninfo), order)


@cache
def _connection(conninfo: str) -> Connection:
    """One for each process, kept."""
    return psycopg.connect(conninfo, autocommit=True)


class Bare(Contender):
    """Base of both: they differ in how often they commit."""

    durable = False
    limit = True
    sell: ClassVar[Sell]

    def check(self) -> str:
        return f"psycopg {psycopg.__version__}"

    def install(self, place: Place) -> None:
        """It has no rows of its own."""

    @contextmanager
    def running(self, place: Place) -> Iterator[BareRunning]:
        sell = type(self).sell
        with ProcessPoolExecutor(PROCESSES, get_context("spawn"), initializer=_leave_ctrl_c_alone) as pool:
            try:
                yield BareRunning(pool, place.conninfo, sell)
            finally:
                pool.shutdown(cancel_futures=True)
                _connection(place.conninfo).close()
                _connection.cache_clear()


def _leave_ctrl_c_alone() -> None:
    """The parent ends us in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class BareSteps(Bare):
    """As a careful hand would write it who needs no saga."""

    name = "bare-steps"
    title = "SQL without a saga, a commit per step"
    size = 6_000
    sell = by_steps


class BareOrder(Bare):
    """As few commits as single orders can do with."""

    name = "bare-order"
    title = "SQL without a saga, a commit per order"
    size = 9_000
    sell = by_order
