"""The course: all in turns over the same orders, meters read around each load, books checked after each turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import psycopg

from benchmarks.side_by_side import meters, tables
from benchmarks.side_by_side.contender import Contender, Missing, Place, Running
from benchmarks.side_by_side.figures import ALONE, FAILING, HAPPY, Found, Measured, percentiles
from benchmarks.side_by_side.stage import Stage
from benchmarks.side_by_side.workload import FAILING as SHARE
from benchmarks.side_by_side.workload import Wanted, orders

#: Between two orders that are sent alone: long enough that the one before leaves nothing to do.
PAUSE_SECONDS = 0.02
#: After a load, before the meters are read: who has put something off does it now, on his own account.
REST_SECONDS = 0.5
#: So much of a load goes ahead unmeasured, at least so many orders.
WARM_UP_SHARE, WARM_UP = 0.1, 100
WARM_UP_ALONE = 10
#: A load is never smaller, however it is scaled.
LEAST = 20


class BooksBroken(Exception):
    """Orders were lost, doubled or half done: no figure of this run is worth anything."""


@dataclass(frozen=True)
class Plan:
    """How often, how much of each contender's own size, and how many orders alone."""

    repeats: int = 3
    scale: float = 1.0
    alone: int = 200

    def size_of(self, contender: Contender) -> int:
        """So many orders are in one of its loads."""
        return max(LEAST, round(contender.size * self.scale))


@dataclass
class Entrant:
    """A contender with its database, and how many orders it has been given so far."""

    contender: Contender
    place: Place
    given: int = 0

    @property
    def name(self) -> str:
        return self.contender.name


@dataclass
class Course:
    """One run. `keep` is called whenever something new was found."""

    stage: Stage
    plan: Plan
    found: Found
    say: Callable[[str], None]
    keep: Callable[[Found], None]
    entrants: list[Entrant] = field(default_factory=list)

    def run(self, contenders: Sequence[type[Contender]]) -> None:
        """Measure everyone who can run here. Raises BooksBroken."""
        for kind in contenders:
            self._enter(kind())
        for repeat in range(self.plan.repeats):
            for entrant in rotated(self.entrants, repeat):
                if entrant.name not in self.found.failed:
                    self._turn(entrant, repeat)

    def _enter(self, contender: Contender) -> None:
        """Make its database, or note why it does not take part."""
        try:
            version = contender.check()
        except Missing as missing:
            self.say(f"{contender.name}: missing. {missing}")
            self.found.enter(contender, missing=str(missing))
        else:
            self.say(f"{contender.name}: {contender.title}, {version}")
            self.found.enter(contender, version=version)
            self._prepare(contender)
        self.keep(self.found)

    def _prepare(self, contender: Contender) -> None:
        try:
            self.entrants.append(Entrant(contender, self.stage.prepare(contender)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            self._give_up(contender.name, error)

    def _turn(self, entrant: Entrant, repeat: int) -> None:
        """One contender's part of a repeat. One that breaks down is noted and left out from then on."""
        self.stage.forget_messages()
        try:
            with (
                entrant.place.connect() as connection,
                entrant.contender.running(entrant.place) as running,
            ):
                self._turn_of(entrant, repeat, connection, running).run()
        except BooksBroken:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._give_up(entrant.name, error)
        else:
            self._check_books(entrant)

    def _turn_of(
        self, entrant: Entrant, repeat: int, connection: psycopg.Connection[Any], running: Running
    ) -> Turn:
        """What a turn consists of: other courses measure something else."""
        return Turn(self, entrant, repeat, connection, running)

    def _give_up(self, name: str, error: Exception) -> None:
        self.found.failed[name] = f"{type(error).__name__}: {error}"
        self.say(f"{name}: BROKE DOWN. {self.found.failed[name]}")
        self.keep(self.found)

    def _check_books(self, entrant: Entrant) -> None:
        with entrant.place.connect() as connection:
            broken = tables.breaches(connection, expected=entrant.given)
        if broken:
            raise BooksBroken(f"{entrant.name}: " + "; ".join(broken))


@dataclass
class Turn:
    """A contender that is up: the loads of one repeat."""

    course: Course
    entrant: Entrant
    repeat: int
    connection: psycopg.Connection[Any]
    running: Running

    def run(self) -> None:
        """Warm up, then measure all three."""
        size = self.course.plan.size_of(self.entrant.contender)
        self._warm_up(max(WARM_UP, round(size * WARM_UP_SHARE)))
        self._load(HAPPY, size, 0.0)
        self._load(FAILING, size, SHARE)
        self._alone(self.course.plan.alone)

    def _warm_up(self, count: int) -> None:
        """Connections, prepared statements, pools and pages; then let the planner see what that has left."""
        self.running.load(self._orders("warm", count, SHARE))
        for order in self._orders("warm-alone", WARM_UP_ALONE, 0.0):
            self.running.one(order)
        self.connection.execute("ANALYZE")

    def _load(self, what: str, size: int, failing: float) -> None:
        wanted = self._orders(what, size, failing)
        self.connection.execute("CHECKPOINT")
        others, before, began = self._others(), meters.read(self.connection), time.perf_counter()
        self.running.load(wanted)
        seconds = time.perf_counter() - began
        said_done = self._clock()
        time.sleep(REST_SECONDS)
        gone, others_now = meters.read(self.connection).since(before), self._others()
        self._insist_on_end(wanted, said_done)
        self._note(
            what,
            orders=size,
            per_second=size / seconds,
            cpu_ms=gone.cpu_seconds * 1000 / size,
            commits=gone.commits / size,
            wal_kb=gone.wal_bytes / 1024 / size,
            peak_mb=meters.peak_mb(self.running.workers()),
            **{name: (others_now[name] - value) / size for name, value in others.items()},
        )

    def _others(self) -> dict[str, float]:
        """More meters that only go up, for a course that wants them: by their names for an order."""
        return {}

    def _alone(self, count: int) -> None:
        wanted, taken = self._orders(ALONE, count, 0.0), []
        self.connection.execute("CHECKPOINT")
        for order in wanted:
            time.sleep(PAUSE_SECONDS)
            began = time.perf_counter()
            self.running.one(order)
            taken.append((time.perf_counter() - began) * 1000)
            self._insist_on_end([order], self._clock())
        p50, p95, p99 = percentiles(taken, 50, 95, 99)
        self._note(ALONE, orders=count, p50_ms=p50, p95_ms=p95, p99_ms=p99)

    def _orders(self, what: str, count: int, failing: float) -> list[Wanted]:
        """The same for everyone, and new ones in each repeat."""
        self.entrant.given += count
        return orders(f"{what}-{self.repeat}", count, failing=failing)

    def _clock(self) -> datetime:
        """The database's time, by which orders end."""
        row = self.connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        return cast("datetime", row[0])

    def _insist_on_end(self, wanted: Sequence[Wanted], said_done: datetime) -> None:
        """Nobody is done before all orders are. Looked up after the meters are read: it costs something too."""
        row = self.connection.execute(
            "SELECT count(*) FROM shop_order WHERE id = ANY(%s) AND ended_at <= %s",
            [[order.id for order in wanted], said_done],
        ).fetchone()
        ended = row[0] if row else 0
        if ended != len(wanted):
            raise BooksBroken(
                f"{self.entrant.name}: said done when {ended} of {len(wanted)} orders had ended"
            )

    def _note(self, what: str, **values: float) -> None:
        measured = Measured(self.entrant.name, self.repeat, what, values)
        self.course.found.measured.append(measured)
        self.course.say(f"{self.repeat + 1}/{self.course.plan.repeats} {measured}")
        self.course.keep(self.course.found)


def rotated(entrants: Sequence[Entrant], repeat: int) -> list[Entrant]:
    """Another one begins each repeat, so that nobody always has the fresh or the tired machine."""
    start = repeat % len(entrants) if entrants else 0
    return [*entrants[start:], *entrants[:start]]
