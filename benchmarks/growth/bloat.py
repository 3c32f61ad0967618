"""Very many sagas through one engine: what becomes of the tables, of the rate, and of a worker's memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from benchmarks.growth import rows
from benchmarks.growth.figures import slope
from benchmarks.side_by_side import meters, tables
from benchmarks.side_by_side.contender import Place, Running
from benchmarks.side_by_side.course import BooksBroken
from benchmarks.side_by_side.processes import resident_bytes
from benchmarks.side_by_side.stage import Stage
from benchmarks.side_by_side.waybill.contender import WaybillContender
from benchmarks.side_by_side.workload import orders
from sagas.ids import uuid7

#: Sent at a time: a million orders at once would fill the memory of whoever sends them.
CHUNK = 10_000
#: So many are refused at their last step and given back.
FAILING = 0.05
LOOK_SECONDS = 0.5
#: Memory may rise by so much for a hundred thousand sagas, once the first half is through.
FLAT_MB = 3.0


@dataclass
class Worn:
    """What came of it. `chunks` are orders per second; `memory` how many sagas were through and the MB then."""

    sagas: int
    chunks: list[float] = field(default_factory=list)
    memory: list[tuple[int, float]] = field(default_factory=list)
    tables: list[rows.TableFacts] = field(default_factory=list)
    wal_kb: float = 0.0
    cpu_ms: float = 0.0

    @property
    def memory_slope(self) -> float:
        """MB of all processes of the worker for a hundred thousand sagas, over the second half."""
        later = [point for point in self.memory if point[0] >= self.sagas / 2]
        return slope([(done / 100_000, held) for done, held in later])

    @property
    def flat(self) -> bool:
        """Whether a worker's memory stays as it is."""
        return self.memory_slope <= FLAT_MB

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"memory_slope": self.memory_slope}


def wear(
    stage: Stage, sagas: int, *, settings: Mapping[str, str], say: Callable[[str], None], rebuild: bool = True
) -> Worn:
    """Run so many sagas, in an order of chunks, and look. Raises BooksBroken."""
    contender = WaybillContender()
    place = stage.prepare(contender)
    worn = Worn(sagas)
    with place.connect() as connection:
        rows.store(connection, settings)
        rows.begin(connection)
        with contender.running(place) as running:
            before = meters.read(connection)
            _run(running, worn, say)
            gone = meters.read(connection).since(before)
        worn.wal_kb, worn.cpu_ms = gone.wal_bytes / 1024 / sagas, gone.cpu_seconds * 1000 / sagas
        worn.tables = rows.read(connection)
        _insist_on_books(place, sagas)
        if rebuild:
            say("writing the tables anew, to see how large they need be")
            worn.tables = rows.rebuild(connection, worn.tables)
    return worn


def _run(running: Running, worn: Worn, say: Callable[[str], None]) -> None:
    done = 0
    with _memory(running.workers(), worn, lambda: done):
        while done < worn.sagas:
            size = min(CHUNK, worn.sagas - done)
            wanted = [replace(o, id=uuid7()) for o in orders(f"worn-{done}", size, failing=FAILING)]
            began = time.perf_counter()
            running.load(wanted)
            done += size
            worn.chunks.append(size / (time.perf_counter() - began))
            say(f"{done:,} sagas, {worn.chunks[-1]:,.0f}/s, worker {worn.memory[-1][1]:,.0f} MB")


@contextmanager
def _memory(pids: Sequence[int], worn: Worn, done: Callable[[], int]) -> Iterator[None]:
    """Look at the worker's memory again and again while the block runs."""
    over = threading.Event()

    def look() -> None:
        while True:
            worn.memory.append((done(), sum(map(resident_bytes, pids)) / 2**20))
            if over.wait(LOOK_SECONDS):
                return

    watcher = threading.Thread(target=look, name="memory")
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _insist_on_books(place: Place, sagas: int) -> None:
    with place.connect() as connection:
        if broken := tables.breaches(connection, expected=sagas):
            raise BooksBroken("; ".join(broken))
