"""Projections with a build beside the live one: each keeps two slots of its tables, and readers see one of them.

A projection's tables are partitioned by `slot` (1 and 2), which leads their primary keys. Which slot is live
stands in one row, so that a rebuild swaps with one update and no reader ever sees half of either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sagas.bus import subscription, unsubscribe
from sagas.events import Event
from sagas.log import Recorded
from sagas.sql import rows

SLOTS = (1, 2)
LIVE = "SELECT live_slot FROM sagas_projection WHERE name = %s"


class Fold(Protocol):
    """Takes a batch of events, in the order of the feed, into one slot, in the caller's transaction.

    What it writes follows from the events alone: a row that holds `now` would differ in every rebuild. It writes
    late: readers of the log wait for a transaction that has written.
    """

    def __call__(self, *, events: Sequence[Recorded], slot: int, now: datetime) -> None: ...


@dataclass(frozen=True)
class Projection:
    """A view kept by folding events. `name` is also its subscription's; `tables` are the partitioned parents."""

    name: str
    of: tuple[type[Event], ...]
    tables: tuple[str, ...]
    fold: Fold


_projections: dict[str, Projection] = {}


def projection(name: str, *, of: Sequence[type[Event]], tables: Sequence[str]) -> Callable[[Fold], Fold]:
    """Register a fold under a durable name. Live events go into the slot that readers see."""

    def register(fold: Fold) -> Fold:
        _projections[name] = Projection(name, tuple(of), tuple(tables), fold)

        @subscription(name, of=of, kind="projection")
        def deliver_live(*, events: Sequence[Recorded], now: datetime) -> None:
            fold(events=events, slot=live_slot(name), now=now)

        return fold

    return register


def get_projection(name: str) -> Projection:
    """The projection of that name. Raises KeyError when this code has none."""
    return _projections[name]


def forget_projection(name: str) -> None:
    """Take a projection back (for tests that make their own)."""
    _projections.pop(name, None)
    unsubscribe(name)


def projections() -> list[Projection]:
    """Every projection, by name."""
    return [_projections[name] for name in sorted(_projections)]


def live_slot(name: str) -> int:
    """The slot that readers of a projection see. The first one until a rebuild has swapped."""
    found: list[tuple[Any, ...]] = rows(LIVE, [name])
    return int(found[0][0]) if found else SLOTS[0]
