"""What Waybill must reach beside the others, each with its figure and whether it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.side_by_side.figures import ALONE, DBOS, FAILING, HAPPY, WAYBILL, YARDSTICK, Found

TIMES_DBOS = 30
TIMES_BEST_PEER = 10
SHARE_OF_YARDSTICK = 0.40
SHARE_WHEN_FAILING = 0.75
CPU_MS = 1.0


@dataclass(frozen=True)
class Target:
    """One of them. `met` is None when a part of it was not measured."""

    words: str
    figure: str
    met: bool | None

    @property
    def answer(self) -> str:
        """For a table."""
        return {True: "yes", False: "**no**", None: "not measured"}[self.met]


def targets(found: Found) -> list[Target]:
    """All of them, in the order in which they matter."""
    ours = found.median(WAYBILL, HAPPY, "per_second")
    best = best_peer(found)
    return [
        _ratio(f"at least {TIMES_DBOS} times DBOS", ours, _speed(found, DBOS), TIMES_DBOS, _times),
        _ratio(
            f"at least {TIMES_BEST_PEER} times the best durable peer{f' ({best})' if best else ''}",
            ours, _speed(found, best), TIMES_BEST_PEER, _times,
        ),
        _ratio(
            f"at least {SHARE_OF_YARDSTICK:.0%} of SQL in batches of 100",
            ours, _speed(found, YARDSTICK), SHARE_OF_YARDSTICK, _percent,
        ),
        _ratio(
            f"with 20 % failing at least {SHARE_WHEN_FAILING:.0%} of that",
            found.median(WAYBILL, FAILING, "per_second"), ours, SHARE_WHEN_FAILING, _percent,
        ),
        *(_latency(found, point) for point in (50, 99)),
        _cpu(found),
    ]  # fmt: skip


def best_peer(found: Found) -> str:
    """The durable peer with the highest throughput; empty without any."""
    speeds = {e.name: found.median(e.name, HAPPY, "per_second") or 0.0 for e in found.durable_peers}
    return max(speeds, key=lambda name: speeds[name], default="")


def _speed(found: Found, name: str) -> float | None:
    return found.median(name, HAPPY, "per_second")


def _ratio(
    words: str, above: float | None, below: float | None, least: float, say: Callable[[float], str]
) -> Target:
    if above is None or not below:
        return Target(words, "", None)
    return Target(words, say(above / below), above / below >= least)


def _latency(found: Found, point: int) -> Target:
    """Below the quickest of the durable peers."""
    words = f"one order alone: p{point} below every durable peer's"
    ours = found.median(WAYBILL, ALONE, f"p{point}_ms")
    theirs = {e.name: found.median(e.name, ALONE, f"p{point}_ms") for e in found.durable_peers}
    known = {name: value for name, value in theirs.items() if value is not None}
    if ours is None or not known:
        return Target(words, "", None)
    quickest = min(known, key=lambda name: known[name])
    return Target(words, f"{ours:.1f} ms; {quickest} {known[quickest]:.1f} ms", ours < known[quickest])


def _cpu(found: Found) -> Target:
    words = f"processor time per order at most {CPU_MS:.0f} ms"
    ours = found.median(WAYBILL, HAPPY, "cpu_ms")
    return Target(words, "" if ours is None else f"{ours:.2f} ms", None if ours is None else ours <= CPU_MS)


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times"


def _percent(ratio: float) -> str:
    return f"{ratio:.0%}"
