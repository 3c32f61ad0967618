"""What bare SQL does with the same orders: the limits an engine is measured against."""

from __future__ import annotations

from benchmarks.side_by_side.contender import Contender
from benchmarks.side_by_side.limits.bare import BareOrder, BareSteps
from benchmarks.side_by_side.limits.set_based import of_batch

#: Those that work in batches keep a saga's rows too.
LIMITS: tuple[type[Contender], ...] = (
    BareSteps,
    BareOrder,
    of_batch(20, orders=40_000),
    of_batch(100, orders=70_000),
    of_batch(500, orders=80_000),
)
