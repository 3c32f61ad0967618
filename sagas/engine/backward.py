"""Undo after undo in one commit. The rules need all rows of a saga that turns back; once loaded, they go a long way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from sagas import log
from sagas.engine import store
from sagas.engine.batch import Claimed, calls, check_answers, led, take
from sagas.engine.core import Case
from sagas.engine.rows import COMPENSATING, NONE, UNDO, StepRow
from sagas.steps import Step, get_step

Due = tuple[Case, StepRow]


def give_back_on(cases: Sequence[Case], *, now: datetime, fuse: frozenset[str]) -> None:
    """Run the local undos that became due, newest first, until none is left that may run here.

    The sagas must be locked, and none of their rows written since they were loaded: the caller writes what is
    decided. `fuse` names the queues this worker may run.
    """
    going = list(cases)
    while due := _next(going, now, fuse):
        name = max(due, key=lambda name: len(due[name]))
        ran = _run(get_step(name), due[name], now)
        # What may not run now is left to its own task; the others go on.
        stopped = {id(case) for case, _ in due[name]} - {id(case) for case in ran}
        going = [case for case in going if id(case) not in stopped]


def _next(cases: Sequence[Case], now: datetime, fuse: frozenset[str]) -> dict[str, list[Due]]:
    due: dict[str, list[Due]] = {}
    for case in cases:
        row = _due_undo(case, now)
        if row is not None and (step := get_step(row.name)).local and step.queue in fuse:
            due.setdefault(row.name, []).append((case, row))
    return due


def _due_undo(case: Case, now: datetime) -> StepRow | None:
    if case.saga.state != COMPENSATING or case.saga.hold != NONE or case.saga.choreographed:
        return None
    waiting = [
        row
        for row in case.rows.values()
        if row.direction == UNDO
        and row.open
        and row.lease_until is None
        and row.wake_at
        and row.wake_at <= now
    ]
    return max(waiting, key=lambda row: row.position, default=None)


def _run(step: Step, due: Sequence[Due], now: datetime) -> list[Case]:
    """Run one undo for many sagas. The cases that may go on after it."""
    gate = store.gate([case.saga.id for case, _ in due])
    free = [(case, row) for case, row in due if case.saga.id not in gate.asked]
    if step.name in gate.stopped or not free or step.local is None:
        return []
    claimed = _take(free, now)
    with log.about(led=led(c.saga for c in claimed)):
        outcomes = step.local(calls(step, claimed, now=now, settling={}))
    check_answers(step, len(claimed), outcomes)
    for (case, row), outcome in zip(free, outcomes, strict=True):
        case.answer(row, outcome)
    # Rows that many orders want are held no longer by a large batch than until its step is done.
    held = step.hot and len(free) > settings.WAYBILL.small_claim
    return [] if held else [case for case, _ in free]


def _take(due: Sequence[Due], now: datetime) -> list[Claimed]:
    return take(((case.touch(row), case.saga) for case, row in due), now=now)
