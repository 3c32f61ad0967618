"""Whose processor time it is: workers, PostgreSQL, the broker, the loops, and whoever sends the orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.full_flow.meters import cpu_under
from benchmarks.side_by_side import meters
from config.embedded.processes import ProcessBook

WORKERS, POSTGRES, BROKER, LOOPS, DRIVER = "workers", "PostgreSQL", "broker", "loops", "driver"
GROUPS = (WORKERS, POSTGRES, BROKER, LOOPS, DRIVER)
#: Groups that are one process with one thread that does the work: with a core of its own they are at their end.
SINGLE = (BROKER, LOOPS, DRIVER)
#: With so much of it in use, a core or a machine is at its end.
FULL = 0.85

_NAMES = {"postgres": POSTGRES, "valkey": BROKER, "keep": LOOPS, "placing": DRIVER}


def group_of(program: str) -> str:
    """The group of a program, by the name the supervisor has for it."""
    return _NAMES.get(program, WORKERS if program.startswith("worker") else program)


def cpu_ms(books: Iterable[ProcessBook]) -> dict[str, float]:
    """Processor time so far of each group whose processes are on record; the driver's is all the rest of ours."""
    found = dict.fromkeys(GROUPS, 0.0)
    for entry in (entry for book in books for entry in book.entries()):
        found[group_of(entry.name)] += cpu_under(entry.pid) * 1000
    found[DRIVER] = meters.cpu_seconds() * 1000 - sum(found.values())
    return found


@dataclass(frozen=True)
class Usage:
    """What an order takes of each group's processor time, at so many orders a second on so many cores."""

    ms: Mapping[str, float]
    per_second: float
    cores: int

    @property
    def busy(self) -> float:
        """How much of the machine is used, 1 being all of it."""
        return sum(map(self.cores_of, self.ms)) / self.cores

    def share(self, group: str) -> float:
        """A group's part of all that is used."""
        return self.ms[group] / sum(self.ms.values())

    def cores_of(self, group: str) -> float:
        """How many cores a group keeps busy."""
        return self.ms[group] / 1000 * self.per_second

    @property
    def bottleneck(self) -> str:
        """What stands in the way, in words."""
        for group in SINGLE:
            if group in self.ms and self.cores_of(group) >= FULL:
                return f"the {group}: it has one core and uses {self.cores_of(group):.0%} of it"
        largest = max(self.ms, key=lambda group: self.ms[group])
        if self.busy >= FULL:
            return f"the processor ({self.busy:.0%} busy): most of it, {self.share(largest):.0%}, goes to {largest}"
        return f"waiting: {self.busy:.0%} of the processor is busy, most of it with {largest}"
