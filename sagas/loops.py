"""Loops of the `keep` process: bounded batches, straight on the rows, safe to run any number of times at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class LoopBody(Protocol):
    def __call__(self, *, now: datetime) -> int: ...


@dataclass(frozen=True)
class Loop:
    """One loop: `every` seconds, and at once again while a pass handled something."""

    name: str
    every: float
    body: LoopBody


_loops: dict[str, Loop] = {}


def keeper(name: str, *, every: float) -> Callable[[LoopBody], LoopBody]:
    """Register a loop. The body handles one bounded batch and returns how many rows it handled."""

    def register(body: LoopBody) -> LoopBody:
        _loops[name] = Loop(name, every, body)
        return body

    return register


def all_loops() -> list[Loop]:
    """Every registered loop, by name."""
    return [_loops[name] for name in sorted(_loops)]
