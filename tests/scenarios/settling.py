"""Letting everything happen that can happen by itself: what workers, the bus and the loops do together."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta

from config.demo.run import lagging
from sagas.clock import database_now, travel
from sagas.delivery import deliver
from sagas.engine.work import work
from sagas.inbox.reader import reader_names
from sagas.inbox.work import read
from sagas.keeping.sweep import due_steps, every_queue
from sagas.loops import all_loops
from sagas.sql import rows
from sagas.tasks import take_up_intents

#: How far it travels ahead for retries, waits and leases; beyond it somebody must come.
HORIZON = timedelta(minutes=10)

#: Loops that only ring or hand on what is called here by itself, and bookkeeping.
ELSEWHERE = {
    "sagas.sweep", "sagas.relay", "sagas.intents", "sagas.inbox",
    "sagas.retention", "sagas.inbox_retention", "sagas.forget_answers",
}  # fmt: skip

NEXT_WAKE = """
SELECT min(t.wake_at) - waybill_now(),
       coalesce(nullif(current_setting('waybill.offset', true), ''), '0 s')::interval
  FROM sagas_step t JOIN sagas_saga s ON s.id = t.saga_id
 WHERE t.finished_at IS NULL AND s.hold IN ('none', 'waiting') AND t.name <> ALL (%s::text[])
   AND NOT EXISTS (SELECT FROM sagas_pause p WHERE p.scope = 'step' AND p.name = t.name)
"""


def settle(*, without: Collection[str] = (), stepwise: bool = False, horizon: timedelta = HORIZON) -> None:
    """Run until nothing is left to do, travelling ahead to retries and leases. Steps `without` stay due.

    `stepwise` gives each step a transaction of its own, where a worker would fuse neighbours.
    """
    queues = frozenset() if without or stepwise else every_queue()
    for _ in range(2_000):
        if not _round(set(without), queues) and not _travel_to_next(without, horizon):
            return
    raise AssertionError("it never comes to rest")


def settle_until(true: Callable[[], bool], *, without: Collection[str] = ()) -> None:
    """Run step by step, and stop as soon as something holds."""
    for _ in range(2_000):
        for name in [n for n, _ in due_steps() if n not in without]:
            if true():
                return
            work(name, queues=frozenset(), seconds=10)
        if true() or not (_round(set(without), frozenset()) or _travel_to_next(without, HORIZON)):
            break
    assert true(), "it never came to be"


def _round(without: set[str], queues: frozenset[str]) -> int:
    busy = take_up_intents()
    for name in [n for n, _ in due_steps() if n not in without]:
        busy += work(name, queues=queues, seconds=10)
    busy += sum(deliver(task, now=database_now) for task in lagging())
    busy += sum(read(task) for task in reader_names() if task.startswith("inbox."))
    return busy + sum(loop.body(now=database_now()) for loop in all_loops() if _belongs(loop.name))


def _belongs(loop: str) -> bool:
    # Not the loops of toys, and not rescue: it answers how many turns are dead, not how much was done.
    return loop not in ELSEWHERE and loop != "sagas.rescue"


def _travel_to_next(without: Collection[str], horizon: timedelta) -> bool:
    ((wait, offset),) = rows(NEXT_WAKE, [list(without)])
    if wait is None or wait > horizon:
        return False
    if wait > timedelta():
        travel((offset + wait).total_seconds() + 0.001)
    return True
