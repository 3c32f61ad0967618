"""What a run has found, as plain values that go to JSON and come back, and their medians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Self

from benchmarks.side_by_side.contender import Contender

HAPPY, FAILING, ALONE = "happy", "failing", "alone"


@dataclass(frozen=True)
class Entry:
    """Who takes part. `missing` says why one does not."""

    name: str
    title: str
    durable: bool
    limit: bool
    version: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Measured:
    """One measurement of one contender in one repeat: its values by name."""

    contender: str
    repeat: int
    what: str
    values: dict[str, float]

    def __str__(self) -> str:
        values = ", ".join(f"{name} {value:,.5g}" for name, value in self.values.items())
        return f"{self.contender} {self.what}: {values}"


@dataclass(frozen=True)
class Spread:
    """The median of the repeats, between the lowest and the highest."""

    median: float
    low: float
    high: float


@dataclass
class Found:
    """Everything of one run. `failed` says why one broke down; `broken` is empty while all books balance."""

    at: str
    plan: dict[str, float]
    machine: dict[str, Any]
    entries: list[Entry] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    broken: str = ""
    complete: bool = False

    def enter(self, contender: Contender, *, version: str = "", missing: str = "") -> None:
        """Note a contender as taking part or missing."""
        self.entries.append(
            Entry(contender.name, contender.title, contender.durable, contender.limit, version, missing)
        )

    @property
    def present(self) -> list[Entry]:
        """Those with whole figures."""
        return [e for e in self.entries if not e.missing and e.name not in self.failed]

    @property
    def durable_peers(self) -> list[Entry]:
        """What Waybill is compared with."""
        return [e for e in self.present if e.durable and not e.limit and not ours(e)]

    def spread(self, name: str, what: str, value: str) -> Spread | None:
        """A value of a contender over all repeats. None when it was not measured."""
        if all(name != entry.name for entry in self.present):
            return None
        values = [m.values[value] for m in self.measured if (m.contender, m.what) == (name, what)]
        return Spread(median(values), min(values), max(values)) if values else None

    def median(self, name: str, what: str, value: str) -> float | None:
        """The middle of it."""
        found = self.spread(name, what, value)
        return found.median if found else None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        """The run that was kept."""
        entries = [Entry(**entry) for entry in plain["entries"]]
        measured = [Measured(**one) for one in plain["measured"]]
        return cls(**plain | {"entries": entries, "measured": measured})


#: The names that the targets speak of.
WAYBILL, DBOS, YARDSTICK = "waybill", "dbos", "set-based-100"


def ours(entry: Entry) -> bool:
    """Whether this is Waybill, as users run it or in another way."""
    return entry.name.startswith(WAYBILL)


def percentiles(values: Sequence[float], *points: int) -> list[float]:
    """Nearest-rank percentiles: each is a value that was seen."""
    ordered = sorted(values)
    return [ordered[max(0, -(-len(ordered) * point // 100) - 1)] for point in points]
