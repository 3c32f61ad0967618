"""What reads cost at ten thousand and at a million orders: one process, one server, calls of both sizes in turns.

Prints a Markdown table. Ends with 1 if the p95 of a read grows by more than the factor that is allowed.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.services import own_services

if TYPE_CHECKING:
    from benchmarks.filling import Filled
    from benchmarks.reads import Read

SMALL, LARGE = 10_000, 1_000_000
MOST_GROWTH = 1.3
#: Two figures less apart than this are equal: a shared machine does not measure finer.
FLOOR_MS = 0.3
#: The first round warms up and does not count.
WARM_UP, ROUNDS = 100, 9


@dataclass
class Figures:
    """How long the calls of one read took, in milliseconds: by the number of orders, round for round."""

    rounds: dict[int, list[list[float]]] = field(default_factory=dict)

    def p(self, orders: int, percent: int) -> float:
        """The percentile of a round; of all rounds the median, so that one disturbance decides nothing."""
        return median(quantiles(taken, n=100)[percent - 1] for taken in self.rounds[orders])

    @property
    def growth(self) -> float:
        small, large = self.p(SMALL, 95), self.p(LARGE, 95)
        return 1.0 if abs(large - small) < FLOOR_MS else large / small


def measure(
    reads: Mapping[str, Read], shops: Sequence[Filled], *, calls: int, seed: int
) -> dict[str, Figures]:
    """Call every read so many times a round on each shop, now the one first and now the other."""
    chance = random.Random(seed)  # noqa: S311 - a benchmark, not a secret
    found = {name: Figures({shop.orders: [] for shop in shops}) for name in reads}
    for number in range(1 + ROUNDS):
        for name, read in reads.items():
            taken = _round(read, shops, calls if number else WARM_UP, chance)
            for orders, times in taken.items():
                found[name].rounds[orders] += [times] if number else []
    return found


def _round(read: Read, shops: Sequence[Filled], calls: int, chance: random.Random) -> dict[int, list[float]]:
    taken: dict[int, list[float]] = {shop.orders: [] for shop in shops}
    gc.collect()  # now, and not in the middle of a call
    for call in range(calls):
        for shop in shops if call % 2 else reversed(shops):
            began = time.perf_counter()
            read(shop, chance)
            taken[shop.orders].append((time.perf_counter() - began) * 1000)
    return taken


def table(found: dict[str, Figures]) -> str:
    """The figures as Markdown."""
    lines = [
        f"| read | {SMALL:,}: p50 ms | p95 ms | {LARGE:,}: p50 ms | p95 ms | p95 growth |",
        "|---|---|---|---|---|---|",
    ]
    for name, f in found.items():
        cells = [f"{f.p(orders, percent):.2f}" for orders in (SMALL, LARGE) for percent in (50, 95)]
        lines.append(f"| {name} | {' | '.join(cells)} | {f.growth:.2f} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100, help="calls of each read and size in a round")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with own_services():
        from benchmarks.filling import Filled, fill, settle
        from benchmarks.reads import READS

        shops = [Filled(1, UUID(int=1), SMALL), Filled(2, UUID(int=2), LARGE)]
        for shop in shops:
            began = time.monotonic()
            fill(shop)
            _say(f"filled {shop.orders:,} orders in {time.monotonic() - began:.0f} s")
        settle()
        gc.disable()
        found = measure(READS, shops, calls=options.calls, seed=options.seed)
    _say(table(found))
    _say(f"\nEqual are figures less than {FLOOR_MS} ms apart. Allowed growth: {MOST_GROWTH}.")
    worse = [name for name, figures in found.items() if figures.growth > MOST_GROWTH]
    _say(f"Too much growth: {', '.join(worse) or 'none'}.")
    return 1 if worse else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
