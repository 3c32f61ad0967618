"""The shop's workload with few and with many finished orders in the tables, in turns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.growth.entrants import Grown, name_of
from benchmarks.growth.figures import FLOOR_MS, Compared
from benchmarks.side_by_side import tables
from benchmarks.side_by_side.contender import Contender, Running
from benchmarks.side_by_side.course import WARM_UP, WARM_UP_SHARE, Course, Entrant, Turn
from benchmarks.side_by_side.figures import ALONE, HAPPY, Found
from benchmarks.side_by_side.workload import Wanted
from sagas.ids import uuid7

#: Up to so many orders a turn begins with a fresh copy, so that the small one stays small.
COPIED = 100_000


class GrowthTurn(Turn):
    """A load and orders alone. Ids are UUIDv7, as Waybill makes them: random ones would scatter over the indexes."""

    def run(self) -> None:
        """Warm up, then measure both."""
        size = self.course.plan.size_of(self.entrant.contender)
        self._warm_up(max(WARM_UP, round(size * WARM_UP_SHARE)))
        self._load(HAPPY, size, 0.0)
        self._alone(self.course.plan.alone)

    def _orders(self, what: str, count: int, failing: float) -> list[Wanted]:
        return [replace(order, id=uuid7()) for order in super()._orders(what, count, failing)]


@dataclass
class GrowthCourse(Course):
    """The side-by-side course among histories of different length."""

    def _prepare(self, contender: Contender) -> None:
        super()._prepare(contender)
        for entrant in self.entrants:
            if entrant.contender is contender:
                _count_from_history(entrant)
                self._keep_copy(entrant)

    def _turn(self, entrant: Entrant, repeat: int) -> None:
        if _copied(entrant):
            self._copy(entrant.place.database, _kept(entrant))
            _count_from_history(entrant)
        super()._turn(entrant, repeat)

    def _turn_of(
        self, entrant: Entrant, repeat: int, connection: psycopg.Connection[Any], running: Running
    ) -> Turn:
        return GrowthTurn(self, entrant, repeat, connection, running)

    def _keep_copy(self, entrant: Entrant) -> None:
        if _copied(entrant):
            self._copy(_kept(entrant), entrant.place.database)

    def _copy(self, target: str, source: str) -> None:
        with self.stage.connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(target))
            )
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(target), sql.Identifier(source)
                )
            )


def _count_from_history(entrant: Entrant) -> None:
    """The books take the old orders of the side-by-side benchmark for granted: here it is another number."""
    assert isinstance(entrant.contender, Grown)
    entrant.given = entrant.contender.history.orders - tables.OLD_ORDERS


def _copied(entrant: Entrant) -> bool:
    return isinstance(entrant.contender, Grown) and entrant.contender.history.orders <= COPIED


def _kept(entrant: Entrant) -> str:
    return f"{entrant.place.database}_kept"


#: What is compared: in words, its unit, where it was measured, its name, the least difference, whether more is better.
FIGURES = (
    ("throughput", "orders/s", HAPPY, "per_second", 0.0, True),
    ("processor time", "ms/order", HAPPY, "cpu_ms", 0.0, False),
    ("one order alone, p50", "ms", ALONE, "p50_ms", FLOOR_MS, False),
    ("one order alone, p95", "ms", ALONE, "p95_ms", FLOOR_MS, False),
    ("log", "KB/order", HAPPY, "wal_kb", 0.0, False),
)


def compared(found: Found, small: int, large: int) -> list[Compared]:
    """Medians of the repeats at both sizes; only what was measured at both."""
    both = []
    for what, unit, load, value, floor, more in FIGURES:
        pair = [found.median(name_of(orders), load, value) for orders in (small, large)]
        if pair[0] is not None and pair[1] is not None:
            both.append(Compared(what, unit, pair[0], pair[1], floor, more))
    return both
