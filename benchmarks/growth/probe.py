"""A worker's process that times three of the engine's statements on request: the claim, the intake, a page of the feed.

It calls the functions themselves on a database whose size it does not know. Each tells how many milliseconds it took.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from benchmarks.side_by_side.workload import Wanted, orders
from sagas.ids import uuid7

if TYPE_CHECKING:
    from sagas.log import Token

#: In one claim, one intake, one page.
BATCH = 100


def main() -> None:
    """Answer requests for so many calls of one, until the pipe ends."""
    import django

    django.setup()
    while True:
        try:
            name, calls = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
        except EOFError:
            return
        pickle.dump([TIMED[name]() for _ in range(calls)], sys.stdout.buffer)
        sys.stdout.buffer.flush()


def claim() -> float:
    """Lock a full batch that is due."""
    return _claim("shop.authorize", BATCH)


def claim_nothing() -> float:
    """Look where nothing is due."""
    return _claim("shop.confirm", 0)


def _claim(step: str, expected: int) -> float:
    """And let go of it, so that the next claim finds the same."""
    from django.db import transaction

    from sagas.engine import store

    with transaction.atomic():
        began = time.perf_counter()
        _, pairs = store.claim(step, "", limit=BATCH)
        taken = _since(began)
        transaction.set_rollback(True)
    if len(pairs) != expected:
        raise RuntimeError(f"{len(pairs)} instead of {expected} rows were due at {step}.")
    return taken


def intake() -> float:
    """Tell of a batch of orders and start their sagas, in one commit."""
    from django.db import transaction

    from benchmarks.side_by_side.waybill.intake import saga_of, sold
    from sagas.clock import database_now
    from sagas.engine import start_sagas
    from sagas.log import Append, append

    wanted, now = _orders(), database_now()
    began = time.perf_counter()
    with transaction.atomic():
        append([Append(o.id, 1, sold(o)) for o in wanted], now=now, metadata={"actor": "system"})
        start_sagas([saga_of(o) for o in wanted], now=now)
    return _since(began)


def feed_page() -> float:
    """Read the last batch of events."""
    return _page(back=BATCH, expected=BATCH)


def feed_end() -> float:
    """Find nothing new, as a reader mostly does that was rung for."""
    return _page(back=0, expected=0)


def _page(*, back: int, expected: int) -> float:
    from sagas import feed

    after = _before_the_last(back)
    began = time.perf_counter()
    found = feed.page(after, ["shop.Sold"], limit=BATCH)
    taken = _since(began)
    if len(found.events) != expected:
        raise RuntimeError(f"{len(found.events)} instead of {expected} events were read.")
    return taken


def _before_the_last(events: int) -> Token:
    from sagas.log import Token
    from sagas.sql import rows

    newest = "SELECT era, xid, position FROM sagas_event ORDER BY era DESC, xid DESC, position DESC"
    return Token(*rows(f"{newest} OFFSET %s LIMIT 1", [events])[0])


def _orders() -> list[Wanted]:
    """New ones each time, with the lines that orders have."""
    name = uuid7().hex
    return [
        Wanted(uuid7(), f"{name}-{number}", order.lines)
        for number, order in enumerate(orders("probe", BATCH))
    ]


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


#: The intake comes last: it leaves rows behind.
TIMED: dict[str, Callable[[], float]] = {
    "claim of 100": claim,
    "claim of nothing": claim_nothing,
    "feed, a page of 100": feed_page,
    "feed, nothing new": feed_end,
    "intake of 100": intake,
}
#: Without it nothing is due and there is no event to read.
FIRST = "intake of 100"


if __name__ == "__main__":
    main()
