"""The orders every contender gets: the same ones, made by seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from uuid import UUID

SKUS = 1_000
LINES = 3
#: Every fifth order of a failing load is refused at its last step, when everything else is done.
FAILING = 0.2

#: How often a SKU is asked for falls with its rank, as in any shop (Zipf).
_WEIGHTS = list(accumulate(1 / rank for rank in range(1, SKUS + 1)))


@dataclass(frozen=True, slots=True)
class Line:
    """So many pieces of one SKU; no SKU stands twice in an order."""

    sku: str
    quantity: int
    price_minor: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """One order as the shop sends it. `fails` makes its last step refuse."""

    id: UUID
    reference: str
    lines: tuple[Line, ...]
    fails: bool = False

    @property
    def total_minor(self) -> int:
        return sum(line.quantity * line.price_minor for line in self.lines)


def sku(rank: int) -> str:
    """The name of the SKU of a rank, 0 the most wanted."""
    return f"SKU-{rank:04}"


def orders(name: str, count: int, *, failing: float = 0.0) -> list[Wanted]:
    """So many orders under one name. The same name and count give the same orders, whoever gets them."""
    rng = Random(name)  # noqa: S311 - a workload, not a secret
    every = round(1 / failing) if failing else 0
    return [
        Wanted(
            UUID(int=rng.getrandbits(128), version=4),
            f"{name}-{number}",
            _lines(rng),
            fails=bool(every) and number % every == every - 1,
        )
        for number in range(count)
    ]


def _lines(rng: Random) -> tuple[Line, ...]:
    ranks: set[int] = set()
    while len(ranks) < LINES:
        ranks.add(rng.choices(range(SKUS), cum_weights=_WEIGHTS)[0])
    return tuple(Line(sku(rank), rng.randint(1, 3), rng.randint(100, 9_900)) for rank in sorted(ranks))


def in_batches(wanted: Sequence[Wanted], size: int) -> list[Sequence[Wanted]]:
    """Cut them into batches."""
    return [wanted[start : start + size] for start in range(0, len(wanted), size)]
