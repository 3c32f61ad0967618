"""The engine's three statements that meet the hot tables, with few and with many finished sagas in them, in turns."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from benchmarks.growth import probe
from benchmarks.growth.entrants import grown
from benchmarks.growth.figures import FLOOR_MS, Compared
from benchmarks.growth.history import History
from benchmarks.side_by_side.contender import Place
from benchmarks.side_by_side.stage import Stage
from benchmarks.side_by_side.waybill.contender import ask, env_of, helper

PROBE = "benchmarks.growth.probe"
WARM_UP = 10

Probes = Mapping[int, "subprocess.Popen[bytes]"]


@dataclass(frozen=True)
class Hot:
    """So many sagas in the one database and in the other, and so many calls of each statement in so many rounds."""

    small: History
    large: History
    rounds: int = 10
    calls: int = 10

    def prepare(self, stage: Stage, say: Callable[[str], None]) -> dict[int, Place]:
        """Fill both databases. Raises NoRoom."""
        places = {}
        for history in (self.small, self.large):
            history.insist_on_room(stage.cluster.data)
            began = time.monotonic()
            places[history.orders] = stage.prepare(grown(history)())
            say(f"{history.orders:,} finished sagas written in {time.monotonic() - began:.0f} s")
        return places

    def measure(self, places: Mapping[int, Place], say: Callable[[str], None]) -> list[Compared]:
        """Time everything on both, one small round after the other."""
        with ExitStack() as stack:
            probes = {
                size: stack.enter_context(helper(env_of(place), PROBE, role="worker"))
                for size, place in places.items()
            }
            self._settle(places, probes)
            return [self._compared(name, probes, say) for name in probe.TIMED]

    def _settle(self, places: Mapping[int, Place], probes: Probes) -> None:
        """Connections, plans and pages; then let the planner see what that has left."""
        for name in (probe.FIRST, *probe.TIMED):
            for size in probes:
                ask(probes[size], (name, WARM_UP))
        for place in places.values():
            with place.connect() as connection:
                connection.execute("VACUUM ANALYZE")

    def _compared(self, name: str, probes: Probes, say: Callable[[str], None]) -> Compared:
        taken: dict[int, list[float]] = {size: [] for size in probes}
        for number in range(self.rounds):
            for size in list(probes)[:: -1 if number % 2 else 1]:
                taken[size] += ask(probes[size], (name, self.calls))
        small, large = (median(taken[h.orders]) for h in (self.small, self.large))
        found = Compared(name, "ms", small, large, FLOOR_MS)
        say(f"{name}: {small:.2f} and {large:.2f} ms")
        return found
