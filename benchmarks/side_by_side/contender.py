"""What a contender is to the course: how it is set up, how it gets orders, and when it has finished them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import psycopg

from benchmarks.side_by_side.workload import Wanted

#: How many orders one look asks after.
LOOK_AT = 100


@dataclass(frozen=True)
class Place:
    """Where a contender works: a database of its own on the one PostgreSQL, the one broker, a folder."""

    database: str
    socket: Path
    redis_url: str
    folder: Path

    @property
    def database_url(self) -> str:
        """For libpq and Django."""
        return f"postgresql:///{self.database}?host={self.socket}&user=postgres"

    @property
    def conninfo(self) -> str:
        """For psycopg, and whoever wants key=value."""
        return f"dbname={self.database} host={self.socket} user=postgres"

    def connect(self) -> psycopg.Connection[Any]:
        """A connection in autocommit."""
        return psycopg.connect(self.conninfo, autocommit=True)


class Missing(Exception):
    """What this contender needs is not installed. The message says what."""


class Running(ABC):
    """A contender whose processes are up."""

    @abstractmethod
    def load(self, orders: Sequence[Wanted]) -> None:
        """Take all these orders in, as fast as it goes, and return when every one has ended.

        Ending is taken from the contender's own way of waiting; the course checks it in the shop's tables.
        """

    @abstractmethod
    def one(self, order: Wanted) -> None:
        """Take one order in and return when its end is to be seen from outside."""

    def workers(self) -> Sequence[int]:
        """The process ids of its workers, for their memory. None if it works in this process."""
        return ()


class Contender(ABC):
    """One way to do the shop's work."""

    #: Short and stable: a word for files and figures.
    name: ClassVar[str]
    #: What it is called in the report, with its version where it has one.
    title: ClassVar[str]
    #: Whether what it has begun outlives its processes. Only such ones are peers.
    durable: ClassVar[bool]
    #: Whether it is a limit to compare with, and no engine.
    limit: ClassVar[bool] = False
    #: So many orders are about ten seconds of its work.
    size: ClassVar[int]

    @abstractmethod
    def check(self) -> str:
        """Its version. Raises Missing when it cannot run here."""

    @abstractmethod
    def install(self, place: Place) -> None:
        """Once, before all runs: whatever it needs in its database besides the shop's tables, which are there."""

    @abstractmethod
    def running(self, place: Place) -> AbstractContextManager[Running]:
        """Its processes, up for the length of the block."""


def wait_for_end(connection: psycopg.Connection[Any], order: Wanted, *, look_seconds: float = 0.0003) -> None:
    """Look until an order has ended. The same observer for all who have no quicker way of telling."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        row = connection.execute(
            "SELECT 1 FROM shop_order WHERE id = %s AND ended_at IS NOT NULL", (order.id,), prepare=True
        ).fetchone()
        if row:
            return
        time.sleep(look_seconds)
    raise TimeoutError(f"{order.reference} did not end within a minute.")


def wait_for_all(connection: psycopg.Connection[Any], orders: Sequence[Wanted], *, stall: float = 60) -> None:
    """Look until all of these have ended, a few at a time and the first ones first: it costs next to nothing.

    Raises TimeoutError when none of those looked at ends for `stall` seconds.
    """
    left, since = deque(order.id for order in orders), time.monotonic()
    while left:
        looked_at = [left.popleft() for _ in range(min(LOOK_AT, len(left)))]
        still = _open_of(connection, looked_at)
        left.extendleft(still)
        if len(still) < len(looked_at):
            since = time.monotonic()
        elif time.monotonic() - since > stall:
            raise TimeoutError(f"{len(left)} orders do not end.")
        if still:
            time.sleep(0.01)


def _open_of(connection: psycopg.Connection[Any], ids: Sequence[UUID]) -> list[UUID]:
    query = "SELECT id FROM shop_order WHERE id = ANY(%s) AND ended_at IS NULL"
    found = {row[0] for row in connection.execute(query, [list(ids)])}
    return [i for i in ids if i in found]
