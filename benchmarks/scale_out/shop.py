"""The shop's workload with one worker of more and more processes, in turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import psycopg
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from benchmarks.scale_out import groups
from benchmarks.scale_out.model import Costs
from benchmarks.side_by_side.contender import Running
from benchmarks.side_by_side.course import WARM_UP, WARM_UP_SHARE, Course, Entrant, Turn
from benchmarks.side_by_side.figures import ALONE, HAPPY, Found
from benchmarks.side_by_side.waybill import contract
from benchmarks.side_by_side.waybill.contender import WaybillContender, state_of
from config.embedded.processes import ProcessBook
from config.embedded.state import State

#: The step whose batches hold the stock of the shop: it runs on to the one that takes it, in one commit.
HOLDS_STOCK = contract.AUTHORIZE
KEPT, SESSIONS, SHELF_MS = "kept_bytes", "connections", "shelf_ms"
#: Under which name is noted what was looked up after the load.
AFTERWARDS = "afterwards"
BYTES = "SELECT pg_database_size(current_database())"
CONNECTED = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'waybill-worker'
"""


class Processes(WaybillContender):
    """Waybill with so many processes in its worker."""

    processes: ClassVar[int]


def with_processes(number: int) -> type[Processes]:
    """A contender with one worker of so many processes."""
    title = f"{number} worker process{'es' * (number > 1)}"
    return type("Processes", (Processes,), {"name": name_of(number), "title": title, "processes": number})


def name_of(number: int) -> str:
    """What the one with so many is called."""
    return f"processes-{number}"


class ScaleTurn(Turn):
    """A load and orders alone, with the processor time of each group of processes."""

    def run(self) -> None:
        """Warm up, then measure both."""
        size = self.course.plan.size_of(self.entrant.contender)
        self._warm_up(max(WARM_UP, round(size * WARM_UP_SHARE)))
        before = batch_seconds(self._state, HOLDS_STOCK)
        self._load(HAPPY, size, 0.0)
        gone = [now - then for now, then in zip(batch_seconds(self._state, HOLDS_STOCK), before, strict=True)]
        sessions, shelf_ms = self._count(CONNECTED) / self._processes, gone[0] * 1000 / max(gone[1], 1)
        self._note(AFTERWARDS, **{SESSIONS: sessions, SHELF_MS: shelf_ms})
        self._alone(self.course.plan.alone)

    @property
    def _state(self) -> State:
        return state_of(self.entrant.place)

    @property
    def _processes(self) -> int:
        assert isinstance(self.entrant.contender, Processes)
        return self.entrant.contender.processes

    def _others(self) -> dict[str, float]:
        books = [ProcessBook(state.processes) for state in (self.course.stage.state, self._state)]
        return groups.cpu_ms(books) | {KEPT: self._count(BYTES)}

    def _count(self, query: str) -> float:
        row = self.connection.execute(query).fetchone()
        assert row is not None
        return float(row[0])


@dataclass
class ScaleCourse(Course):
    """The side-by-side course among workers of different size."""

    def _turn_of(
        self,
        entrant: Entrant,
        repeat: int,
        connection: psycopg.Connection[tuple[object, ...]],
        running: Running,
    ) -> Turn:
        return ScaleTurn(self, entrant, repeat, connection, running)


def batch_seconds(state: State, step: str) -> tuple[float, float]:
    """What the workers' metrics say of a step so far: for how long its batches ran, and how many rows they had."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(state.metrics))
    found = {
        sample.name: sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.labels.get("step") == step
    }
    return found.get("waybill_batch_seconds_sum", 0.0), found.get("waybill_batch_steps_sum", 0.0)


def usage(found: Found, number: int, cores: int) -> groups.Usage:
    """Whose processor time an order takes with so many worker processes."""
    name = name_of(number)
    ms = {group: found.median(name, HAPPY, group) or 0.0 for group in groups.GROUPS}
    return groups.Usage(ms, found.median(name, HAPPY, "per_second") or 0.0, cores)


def costs(found: Found, numbers: Sequence[int]) -> Costs:
    """What an order costs, for the model: with as many processes as are quickest, of those measured.

    How long hot rows are held is taken from where the fewest processes wait for each other.
    """

    def median(value: str, what: str = HAPPY, number: int = 0) -> float:
        return found.median(name_of(number or fastest), what, value) or 0.0

    fastest = max(numbers, key=lambda number: found.median(name_of(number), HAPPY, "per_second") or 0.0)
    return Costs(
        database_ms=median(groups.POSTGRES), workers_ms=median(groups.WORKERS), intake_ms=median(groups.DRIVER),
        broker_ms=median(groups.BROKER), log_bytes=median("wal_kb") * 1024, kept_bytes=median(KEPT),
        commits=median("commits"), connections=median(SESSIONS, AFTERWARDS),
        shelf_ms=median(SHELF_MS, AFTERWARDS, min(numbers)),
    )  # fmt: skip


def alone_ms(found: Found, number: int) -> list[float]:
    """One order alone: p50, p95."""
    return [found.median(name_of(number), ALONE, f"p{point}_ms") or 0.0 for point in (50, 95)]
