"""Local batches: claim, run the handler once, record, all in one transaction. The effect happens exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, transaction

from sagas import log
from sagas.crash import crash_point
from sagas.engine import store
from sagas.engine.advance import Advance
from sagas.engine.backward import give_back_on
from sagas.engine.batch import (
    RNG,
    Batch,
    Claimed,
    UnknownDefinition,
    calls,
    cases_for,
    check_answers,
    commit,
    in_halves,
    led,
    plan_of,
    report,
    take,
    told_apart,
)
from sagas.engine.case import OPERATIONS
from sagas.engine.cases import open_case
from sagas.engine.core import Outcome
from sagas.engine.rows import PARKED, Change, StepRow
from sagas.quoting import unquoted, words_of
from sagas.steps import Step, get_step
from sagas.verdicts import Unavailable, Unknown


def run(step: Step, *, limit: int, fuse: frozenset[str]) -> Batch:
    """Run one batch of a local step. `fuse` names the queues whose next local steps may follow in the commit.

    A batch that raises is rolled back and halved; the one at fault alone is parked.
    """
    seen: list[UUID] = []
    try:
        return _transaction(step, limit=limit, ids=None, fuse=fuse, seen=seen)
    except Exception as error:
        if not seen:
            raise
        told_apart(step, len(seen), error)
        return isolate(step, seen)


def isolate(step: Step, ids: Sequence[UUID]) -> Batch:
    """Find the rows at fault in a failing batch; the others go on."""

    def these(some: Sequence[UUID]) -> Batch:
        return _transaction(step, limit=len(some), ids=some, fuse=frozenset(), seen=[])

    middle = len(ids) // 2
    if len(ids) == 1:
        return in_halves(ids, these, partial(park, step))
    first = in_halves(ids[:middle], these, partial(park, step))
    first.add(in_halves(ids[middle:], these, partial(park, step)))
    first.full = True
    return first


def park(step: Step, row_id: UUID, error: Exception) -> Batch:
    """Stop one saga at a step that failed. A busy database is no fault: that one is tried again later."""
    with transaction.atomic():
        now, pairs = store.claim(step.name, step.provider, limit=1, ids=[row_id])
        if now is None:
            return Batch()
        claimed = take(pairs, now=now)[0]
        if isinstance(error, OperationalError):
            return record([(claimed, Unavailable("database_busy", unquoted(str(error))[:200]))], now=now)
        report(error, claimed.saga, claimed.row)
        return crash([(claimed, error)], now=now)


def crash(failed: Sequence[tuple[Claimed, Exception]], *, now: datetime) -> Batch:
    """Record failures of handlers on locked sagas, in the caller's transaction."""
    known = store.steps_of(c.saga.id for c, _ in failed)
    changes = []
    for claimed, error in failed:
        code = "unknown_definition" if isinstance(error, UnknownDefinition) else "bug"
        changes.append(_stop(claimed, known.get(claimed.saga.id, []), code, error, now))
    return commit(changes, {c.saga.id: c.saga for c, _ in failed}, now=now)


def _stop(claimed: Claimed, known: list[StepRow], code: str, error: Exception, now: datetime) -> Change:
    try:
        plan = plan_of(claimed.saga)
    except UnknownDefinition:
        return _freeze(claimed, str(error), now)
    others = [r for r in known if r.id != claimed.row.id]
    case = open_case(plan, claimed.saga, [*others, claimed.row], now=now, rng=RNG)
    case.crashed(claimed.row, code, words_of(error))
    return case.change()


def _freeze(claimed: Claimed, why: str, now: datetime) -> Change:
    """A saga whose definition this code lacks: nothing is decided, it only stands still."""
    saga, row = claimed.saga.copy(), claimed.row
    saga.hold, saga.hold_owner, saga.hold_since = PARKED, OPERATIONS, now
    saga.hold_reason = f"unknown definition: {why}"[:200]
    if row.lease_until is not None:
        row.verdict = Unknown.word
    row.wake_at = row.lease_until = None
    return Change(saga, True, [row], [])


def _transaction(
    step: Step, *, limit: int, ids: Sequence[UUID] | None, fuse: frozenset[str], seen: list[UUID]
) -> Batch:
    with transaction.atomic():
        now, pairs = store.claim(step.name, step.provider, limit=limit, ids=ids)
        if now is None:
            return Batch()
        claimed = take(pairs, now=now)
        seen.extend(c.row.id for c in claimed)
        way = Advance(now)
        with log.gathered():
            batch = _run_claimed(step, claimed, way, fuse=fuse)
            batch.due |= way.write()
        batch.claimed, batch.full = len(claimed), len(claimed) == limit
        crash_point(f"{step.name}.before_commit")
    crash_point(f"{step.name}.after_commit")
    return batch


def _run_claimed(step: Step, claimed: Sequence[Claimed], way: Advance, *, fuse: frozenset[str]) -> Batch:
    """Run the handler, and with `fuse` the next steps in the same commit. Plain steps forward are left in `way`.

    Rows that many orders want are not held any longer by a large batch than until its step is done.
    """
    for c in claimed:
        plan_of(c.saga)
    handler = step.local
    if handler is None:
        raise TypeError(f"{step.name} is not a local step.")
    with log.about(led=led(c.saga for c in claimed)):
        outcomes = handler(calls(step, claimed, now=way.now, settling={}))
    check_answers(step, len(claimed), outcomes)
    plain, rest = way.sort(list(zip(claimed, outcomes, strict=True)))
    moved = way.go(plain)
    batch = Batch()
    if rest:
        way.write()  # the rules for these look at what is written
        batch.add(record(rest, now=way.now, fuse=fuse if step.is_undo else frozenset()))
    if not step.hot or len(claimed) <= settings.WAYBILL.small_claim:
        batch.add(go_on(moved, way, fuse=fuse))
    return batch


def record(
    answers: Sequence[tuple[Claimed, Outcome]], *, now: datetime, fuse: frozenset[str] = frozenset()
) -> Batch:
    """Decide and write answers to claims that are locked, in the caller's transaction.

    With `fuse` the local undos that are next on the way back run too, before anything is written.
    """
    cases = cases_for(answers, now=now)
    for case, (claimed, outcome) in zip(cases, answers, strict=True):
        case.answer(claimed.row, outcome)
    if fuse:
        give_back_on(cases, now=now, fuse=fuse)
    return commit([case.change() for case in cases], {c.saga.id: c.saga for c, _ in answers}, now=now)


def go_on(moved: Sequence[Change], way: Advance, *, fuse: frozenset[str]) -> Batch:
    """Run the local steps that are next in the same commit: one commit, several facts, never half of one.

    `fuse` names the queues this worker may run. Must be called in the transaction that has decided on `moved`.
    """
    batch = Batch()
    names = {row.name for change in moved for row in change.created} if fuse else set()
    for name in sorted(n for n in names if get_step(n).local and get_step(n).queue in fuse):
        ready = [(row, c.saga) for c in way.free(name, moved) for row in c.created if row.name == name]
        if ready:
            batch.add(_run_claimed(get_step(name), take(ready, now=way.now), way, fuse=fuse))
            crash_point(f"{name}.in_run")
    return batch
