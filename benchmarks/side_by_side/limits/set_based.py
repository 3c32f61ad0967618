"""The limit that Waybill is measured against: a saga's rows by hand, in batches, by two processes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Semaphore
from typing import Any, ClassVar

import psycopg
from psycopg.types.array import ListBinaryDumper

from benchmarks.side_by_side import batches
from benchmarks.side_by_side.contender import Contender, Place, Running, wait_for_all, wait_for_end
from benchmarks.side_by_side.limits import bookkeeping, worker
from benchmarks.side_by_side.workload import Wanted, in_batches

PROCESSES = 2
#: So many orders come in with one commit.
INTAKE = 100


class SetBasedRunning(Running):
    """The shop's end: takes orders in and rings."""

    def __init__(self, connection: psycopg.Connection[Any], bell: Semaphore, pids: Sequence[int]) -> None:
        self._connection = connection
        self._bell = bell
        self._pids = pids

    def load(self, orders: Sequence[Wanted]) -> None:
        for batch in in_batches(orders, INTAKE):
            self._take_in(batch)
        wait_for_all(self._connection, orders)

    def one(self, order: Wanted) -> None:
        self._take_in([order])
        wait_for_end(self._connection, order)

    def workers(self) -> Sequence[int]:
        return self._pids

    def _take_in(self, orders: Sequence[Wanted]) -> None:
        take_in(self._connection, orders)
        self._bell.release()


def take_in(connection: psycopg.Connection[Any], orders: Sequence[Wanted]) -> None:
    """Orders, lines, sagas, first steps and facts in one commit."""
    ids, references = [o.id for o in orders], [o.reference for o in orders]
    totals = [o.total_minor for o in orders]
    lines = [(o.id, n, line) for o in orders for n, line in enumerate(o.lines, start=1)]
    with connection.transaction():
        connection.execute(batches.PLACE, (ids, references, totals, [o.fails for o in orders]))
        connection.execute(
            batches.PLACE_LINES,
            ([i for i, _, _ in lines], [n for _, n, _ in lines], [x.sku for _, _, x in lines],
             [x.quantity for _, _, x in lines], [x.price_minor for _, _, x in lines]),
        )  # fmt: skip
        connection.execute(bookkeeping.BEGIN, (ids, references, totals, ids, [_sold(o) for o in orders]))


def _sold(order: Wanted) -> str:
    lines = [{"sku": x.sku, "quantity": x.quantity, "price_minor": x.price_minor} for x in order.lines]
    return json.dumps({"order_id": str(order.id), "total_minor": order.total_minor, "lines": lines})


class SetBased(Contender):
    """Base of all: they differ in how many orders a transaction carries."""

    durable = True
    limit = True
    batch: ClassVar[int]

    def check(self) -> str:
        return f"psycopg {psycopg.__version__}"

    def install(self, place: Place) -> None:
        with place.connect() as connection:
            bookkeeping.install(connection)

    @contextmanager
    def running(self, place: Place) -> Iterator[SetBasedRunning]:
        spawn = get_context("spawn")
        bell = spawn.Semaphore(0)
        workers = [
            spawn.Process(target=worker.run, args=(place.conninfo, self.batch, bell), daemon=True)
            for _ in range(PROCESSES)
        ]
        for process in workers:
            process.start()
        try:
            with place.connect() as connection:
                connection.adapters.register_dumper(list, ListBinaryDumper)
                yield SetBasedRunning(connection, bell, [p.pid for p in workers if p.pid])
        finally:
            for process in workers:
                process.terminate()
                process.join()


def of_batch(most: int, *, orders: int) -> type[SetBased]:
    """The set-based limit with batches of up to so many; `orders` are about ten seconds of its work."""

    class Sized(SetBased):
        name = f"set-based-{most}"
        title = f"SQL in batches of {most}, with saga rows"
        size = orders
        batch = most

    return Sized
