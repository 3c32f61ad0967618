"""A worker's stretch of work: everything due at a step, and straight on to the next steps it may run.

One order alone goes through its steps without another message. Under load batches grow by themselves; a second
worker is called only when a claim comes back full.
"""

from __future__ import annotations

import time
from datetime import timedelta
from functools import lru_cache

import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction

from sagas import bell, metrics, turns
from sagas.engine import external, local, store
from sagas.engine.batch import Batch
from sagas.steps import Step, get_step

logger = structlog.get_logger(__name__)


def work(name: str, *, queues: frozenset[str] | None = None, seconds: float | None = None) -> int:
    """Run what is due at step `name`, then the steps that became due, as far as `queues` allows.

    Returns how many steps were run. Safe at any time and any number of times at once.
    """
    mine = consumed() if queues is None else queues
    stop = time.monotonic() + (settings.WAYBILL.turn_seconds if seconds is None else seconds)
    todo, count = [name], 0
    while todo:
        done = _at_step(todo.pop(), mine, stop)
        count += done.claimed
        todo.extend(_next(done.due, mine, todo, over=time.monotonic() >= stop))
    return count


def _next(due: set[str], mine: frozenset[str], todo: list[str], *, over: bool) -> list[str]:
    """Keep what we run ourselves, ring for the rest."""
    ours = {n for n in due if get_step(n).queue in mine and not over}
    for name in sorted(due - ours):
        bell.ring(name)
    for name in ours:
        bell.hold(name)
    return sorted(ours - set(todo))


def _at_step(name: str, mine: frozenset[str], stop: float) -> Batch:
    """Batches at one step until nothing is due; the bell is held meanwhile, let go, and then one more look taken."""
    step, total = get_step(name), Batch()
    bell.hold(name)
    if step.is_undo and _nothing_waits(name):
        return total
    try:
        with turns.turn(name, full=settings.WAYBILL.claim_limit, patience=_patience(step)) as progress:
            _batches(step, progress, mine, stop, total)
            bell.let_go(name)
            while _batches(step, progress, mine, stop, total) and time.monotonic() < stop:
                bell.let_go(name)
    finally:
        bell.let_go(name)
    if total.full and time.monotonic() >= stop:
        bell.ring(name)
    return total


def _nothing_waits(name: str) -> bool:
    """A later link of a chain finds that its undos have followed the first ones: that is not worth a turn."""
    if store.waits(name):
        return False
    bell.let_go(name)
    if not store.waits(name):
        return True
    bell.hold(name)
    return False


def _patience(step: Step) -> timedelta:
    """How long after a death what it had claimed comes back: at once, or when its lease runs out."""
    return timedelta(seconds=settings.WAYBILL.lease_seconds if step.external else 0)


def _batches(step: Step, progress: turns.Progress, mine: frozenset[str], stop: float, total: Batch) -> bool:
    """Whether there was anything."""
    found = False
    while True:
        started = time.monotonic()
        batch = _run(step, progress, mine)
        total.add(batch)
        if not batch.claimed:
            return found
        found = True
        metrics.observe_batch(step.name, batch.claimed, time.monotonic() - started)
        progress.survived()
        if time.monotonic() >= stop:
            return found
        if batch.full and not progress.cornered:
            bell.call_help(step.name)
            _wake_others(batch.due, mine)
        bell.hold(step.name)


def _wake_others(due: set[str], mine: frozenset[str]) -> None:
    """While this worker is busy here, another may begin the next steps."""
    for name in sorted(due):
        if get_step(name).queue in mine:
            bell.ring(name)


def _run(step: Step, progress: turns.Progress, mine: frozenset[str]) -> Batch:
    """One batch. After a death here nothing else runs in its commit: whatever kills must be found at its own step."""
    if progress.cornered:
        return _run_alone(step, progress)
    may = settings.WAYBILL.runs and progress.cap >= progress.full
    fuse = mine if may else frozenset()
    if step.external is not None:
        return external.run(step, limit=min(progress.cap, settings.WAYBILL.external_claim_limit), fuse=fuse)
    return local.run(step, limit=progress.cap, fuse=fuse)


def _run_alone(step: Step, progress: turns.Progress) -> Batch:
    """Name one row beforehand, then run it alone; a row that killed its worker too often is parked."""
    with transaction.atomic():
        _, pairs = store.claim(step.name, step.provider, limit=1)
    if not pairs:
        return Batch()
    row = pairs[0][0]
    if turns.condemned(row.id):
        parked = local.park(
            step, row.id, turns.KilledItsWorker(f"{step.name} died {turns.DEATHS_ALONE} times")
        )
        if parked.claimed:
            turns.acquit(row.id)
        return parked
    progress.suspect(row.id)
    batch = external.run_these(step, [row.id]) if step.external else local.isolate(step, [row.id])
    turns.acquit(row.id)
    return batch


@lru_cache(maxsize=1)
def consumed() -> frozenset[str]:
    """The queues this worker listens to."""
    return frozenset(current_app.amqp.queues.consume_from)
