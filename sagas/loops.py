"""Loops of the `keep` process: bounded batches, straight on the rows, safe to run any number of times at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog
from django.db import Error as DatabaseError
from django.db import connection

from sagas.quoting import words_of

logger = structlog.get_logger(__name__)


class LoopBody(Protocol):
    def __call__(self, *, now: datetime) -> int: ...


@dataclass(frozen=True)
class Loop:
    """One loop: `every` seconds, and at once again while a pass handled something."""

    name: str
    every: float
    body: LoopBody


def one_of_many(what: str, run: Callable[[], int]) -> int:
    """Run one item of a pass. One that fails is logged and tried again in the next pass; the others have their turn."""
    try:
        return run()
    except DatabaseError as error:
        logger.warning("loop_item_interrupted", item=what, error=words_of(error)[:300])
        connection.close_if_unusable_or_obsolete()
    except Exception:
        logger.exception("loop_item_failed", item=what)
    return 0


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
