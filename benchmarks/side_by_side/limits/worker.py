"""A worker of the set-based limit: takes what is due at a step, does it for all at once, and goes on to the next."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.synchronize import Semaphore
from typing import Any

import psycopg
from psycopg.types.array import ListBinaryDumper

from benchmarks.side_by_side import batches
from benchmarks.side_by_side.limits import bookkeeping

#: A ring may be lost; the rows are looked at again after so long.
LOOK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Note:
    """What is noted of a step that cannot refuse: its fact, and the step due after it."""

    name: str
    fact: str
    version: int
    then: str = ""
    position: int = 0


AUTHORIZE = Note("authorize", "Authorized", 2, "reserve", 2)
RESERVE = Note("reserve", "Reserved", 3, "book", 3)
BOOK = Note("book", "Booked", 4, "confirm", 4)
CANCEL = Note("cancel", "Cancelled", 5, "release", 2)
RELEASE = Note("release", "Released", 6, "void", 1)
VOID = Note("void", "Voided", 7)


class Worker:
    """Works on one connection in autocommit, up to `size` orders at a time, a transaction for each step."""

    def __init__(self, connection: psycopg.Connection[Any], size: int) -> None:
        self._connection = connection
        self._size = size
        self._turned_back = 0
        connection.adapters.register_dumper(list, ListBinaryDumper)

    def turn(self) -> int:
        """Every step once. Answers how many orders the largest batch had: 0 when nothing was due.

        Undos wait until they fill a batch, or until there is nothing else to do.
        """
        largest = max(step() for step in (self.authorize, self.reserve, self.book, self.confirm))
        if self._turned_back < self._size and largest:
            return largest
        self._turned_back = 0
        return max(largest, *(step() for step in (self.cancel, self.release, self.void)))

    def authorize(self) -> int:
        """Hold the money."""
        with self._transaction():
            count, ids, amounts = self._take(AUTHORIZE, bookkeeping.TAKE_WITH_AMOUNTS)
            if count:
                self._connection.execute(batches.AUTHORIZE, (ids, amounts))
            return int(count)

    def reserve(self) -> int:
        """Hold the goods."""
        return self._plain(RESERVE, batches.RESERVE, self._take_from_shelf)

    def book(self) -> int:
        """Ask for parcels."""
        return self._plain(BOOK, batches.BOOK)

    def confirm(self) -> int:
        """End the orders well, but for those that fail: these turn back."""
        with self._transaction():
            count, ids = self._one(bookkeeping.TAKE_OPEN, {"name": "confirm", "size": self._size})
            if count:
                self._turned_back += self._one(bookkeeping.CONFIRM, (ids, ids, os.getpid()))[0]
            return int(count)

    def cancel(self) -> int:
        """Need no parcels any more."""
        return self._plain(CANCEL, batches.CANCEL)

    def release(self) -> int:
        """Give the goods back."""
        return self._plain(RELEASE, batches.RELEASE, self._put_back)

    def void(self) -> int:
        """Let the money go, and end the orders."""
        with self._transaction():
            count, ids = self._take(VOID, bookkeeping.TAKE_LAST)
            if count:
                self._connection.execute(batches.VOID, (ids,))
                self._connection.execute(batches.REJECT, (ids,))
            return int(count)

    def _plain(self, note: Note, query: str, stock: Callable[[str], None] | None = None) -> int:
        with self._transaction():
            count, ids = self._take(note, bookkeeping.TAKE)
            if count:
                self._connection.execute(query, (ids,))
                if stock:
                    stock(ids)
            return int(count)

    def _take_from_shelf(self, ids: str) -> None:
        """Rows of stock are locked by SKU, judged, and changed last: others wait for them."""
        skus, asked = self._one(bookkeeping.WANTED, (ids,))
        free = dict(self._connection.execute(batches.LOCK_STOCK, (skus,)))
        if any(free[sku] < quantity for sku, quantity in zip(skus, asked, strict=True)):
            raise RuntimeError("The shelf of this workload is never empty.")
        self._connection.execute(batches.MOVE_STOCK, (skus, asked))

    def _put_back(self, ids: str) -> None:
        skus, asked = self._one(bookkeeping.WANTED, (ids,))
        self._connection.execute(batches.LOCK_STOCK, (skus,))
        self._connection.execute(batches.MOVE_STOCK, (skus, [-quantity for quantity in asked]))

    def _take(self, note: Note, query: str) -> Any:
        return self._one(query, vars(note) | {"size": self._size, "worker": os.getpid()})

    def _one(self, query: str, params: Any) -> Any:
        return self._connection.execute(query, params).fetchone()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A transaction whose statements are sent on without waiting for those whose answer nobody needs."""
        with self._connection.pipeline(), self._connection.transaction():
            yield


def run(conninfo: str, size: int, bell: Semaphore) -> None:
    """Work for as long as the parent lives. Who meets a full batch calls the other worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        worker = Worker(connection, size)
        while parent and parent.is_alive():
            bell.acquire(timeout=LOOK_AGAIN_SECONDS)
            while bell.acquire(block=False):
                continue
            while found := worker.turn():
                if found == size:
                    bell.release()
