"""What local and external batches share: building calls, deciding cases, writing changes, telling who must know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import sentry_sdk
import structlog
from django.db import transaction

from sagas import log, metrics
from sagas.bell import ring
from sagas.contract import UndoSettled
from sagas.definition import Hook, Plan, SagaDefinition, SagaNote, plan
from sagas.engine import chains, store
from sagas.engine.cases import open_case
from sagas.engine.core import Case, Outcome
from sagas.engine.rows import (
    COMPENSATING,
    DO,
    DROPPED,
    FINAL,
    NONE,
    PARKED,
    SKIPPED,
    UNDO,
    WAITING,
    Change,
    SagaRow,
    StepRow,
)
from sagas.quoting import words_of
from sagas.steps import Continue, Step, StepCall, get_step
from sagas.verdicts import Done, Unknown

logger = structlog.get_logger(__name__)

#: Jitter only; nothing else of the engine is random.
RNG = Random()  # noqa: S311


class UnknownDefinition(Exception):
    """This code has no such version of the definition: the saga is parked, never guessed."""


@dataclass
class Batch:
    """What one batch did: how many rows it took, and the names of steps that are due because of it."""

    claimed: int = 0
    full: bool = False
    due: set[str] = field(default_factory=set)

    def add(self, other: Batch) -> None:
        self.claimed += other.claimed
        self.full = self.full or other.full
        self.due |= other.due


@dataclass
class Claimed:
    """One claimed step and its saga."""

    row: StepRow
    saga: SagaRow


def plan_of(saga: SagaRow) -> Plan:
    """The definition a saga began with. Raises UnknownDefinition when this code does not have it."""
    found = plan(saga.definition, saga.version)
    if found is None:
        raise UnknownDefinition(f"{saga.definition} version {saga.version}")
    return found


def take(pairs: Iterable[tuple[StepRow, SagaRow]], *, now: datetime) -> list[Claimed]:
    """Count the claim on each row: the attempt is raised, the epoch is the saga's.

    A lease that ran out means that its worker never came back: what it did is unknown until the provider says.
    """
    taken = []
    for row, saga in pairs:
        if row.lease_until is not None:
            row.verdict = Unknown.word
        row.attempt += 1
        if not saga.choreographed:  # there each step has a fence of its own
            row.epoch = saga.epoch
        row.began_at = row.began_at or now
        taken.append(Claimed(row, saga))
    return taken


def calls(
    step: Step, claimed: Sequence[Claimed], *, now: datetime, settling: Mapping[UUID, bool]
) -> list[StepCall]:
    """The handler's view of a claimed batch."""
    subjects = log.first_data(c.saga.subject_id for c in claimed) if step.subject else {}
    return [
        call(
            step, c, now=now, subject=subjects.get(c.saga.subject_id), settling=settling.get(c.row.id, False)
        )
        for c in claimed
    ]


def call(
    step: Step, claimed: Claimed, *, now: datetime, subject: Mapping[str, Any] | None, settling: bool = False
) -> StepCall:
    """One call. Only what the step declared is handed over."""
    row, saga = claimed.row, claimed.saga
    return StepCall(
        saga.id, row.id, row.name, row.key, saga.subject_id, saga.shop_id, saga.reference, saga.search_key,
        {name: saga.context.get(name) for name in step.needs}, subject, saga.amount_minor, saga.currency,
        row.attempt, row.epoch, row.intent_number, row.memo, now, saga.correlation_id, saga.cause, saga.cause_code,
        settling,
    )  # fmt: skip


def led(sagas: Iterable[SagaRow]) -> bool:
    """Whether a coordinator leads all of these where their definitions could do without: nobody else takes a part."""
    return all(not s.choreographed and plan_of(s).definition.choreographable for s in sagas)


def cases_for(answers: Sequence[tuple[Claimed, Outcome]], *, now: datetime) -> list[Case]:
    """A case for each answer, with all its saga's rows where the rules need them."""
    wanted = [c.saga.id for c, outcome in answers if needs_all(c, outcome)]
    known = store.steps_of(wanted)
    return [
        open_case(plan_of(c.saga), c.saga, _with(known.get(c.saga.id, ()), c.row), now=now, rng=RNG)
        for c, _ in answers
    ]


def needs_all(claimed: Claimed, outcome: Outcome) -> bool:
    """Whether the rules need all of a saga's rows for this answer: only a plain step forward does without."""
    if isinstance(outcome, Continue):
        return False
    if claimed.saga.choreographed:
        return not _is_next_part(claimed, outcome)
    if not isinstance(outcome, Done) or claimed.row.direction == UNDO or claimed.saga.state == COMPENSATING:
        return True
    return claimed.saga.state in FINAL or len(plan_of(claimed.saga).stages[claimed.saga.stage]) > 1


def _is_next_part(claimed: Claimed, outcome: Outcome) -> bool:
    """Whether the first step not done is done now, in a saga that nobody has turned back or holds.

    Otherwise whether its app is giving back, or others are done, stands in other rows.
    """
    row, saga = claimed.row, claimed.saga
    forward = isinstance(outcome, Done) and row.direction == DO and row.position == saga.stage
    return forward and not saga.cause and saga.hold == NONE and saga.state not in FINAL


def _with(known: Sequence[StepRow], row: StepRow) -> list[StepRow]:
    return [*(k for k in known if k.id != row.id), row]


def check_answers(step: Step, asked: int, outcomes: Sequence[object]) -> None:
    """A handler that answers too few, or gives what it did not declare, is at fault."""
    if len(outcomes) != asked:
        raise TypeError(f"{step.name} answered {len(outcomes)} of {asked} calls.")
    for outcome in outcomes:
        if isinstance(outcome, Done) and not step.is_undo:
            check_gives(step, outcome)


def check_gives(step: Step, outcome: Done) -> None:
    """Refuse a result the step did not declare."""
    if extra := set(outcome.result) - set(step.gives):
        raise TypeError(f"{step.name} gives {sorted(extra)}, which it does not declare.")


def commit(changes: Sequence[Change], before: Mapping[UUID, SagaRow], *, now: datetime) -> Batch:
    """Write changes in the caller's transaction and arrange what follows its commit."""
    store.save(changes)
    _call_attention(changes, before, now)
    _tell_of_waits(changes, before, now)
    _tell_settled(changes, now)
    _tell_after_commit(changes)
    follow_up(changes, before)
    names = {name for c in changes for name in c.due_names() if not _by_chain(c, name)}
    return Batch(len(changes), due=names)


def follow_up(changes: Sequence[Change], before: Mapping[UUID, SagaRow], *, deferred: bool = True) -> None:
    """What follows every change that was written: intents that waited for it, and the counters after the commit.

    `deferred=False` says that it is known that no intent waits.
    """
    if deferred:
        _look_again_at_intents(changes, before)
    # Counting can fail like anything else; it must not take the orders with it.
    tally = metrics.tally_of(changes, before)
    transaction.on_commit(partial(metrics.count, tally), robust=True)


def _by_chain(change: Change, name: str) -> bool:
    return change.turned_back and get_step(name).is_undo


def _look_again_at_intents(changes: Sequence[Change], before: Mapping[UUID, SagaRow]) -> None:
    """A pivot's outcome or the end of a saga decides what was deferred until then."""
    moved = [c.saga.id for c in changes if _crossed(c, before[c.saga.id])]
    if store.revisit_intents(moved):
        transaction.on_commit(partial(ring, "sagas.apply_intents"), robust=True)


def _crossed(change: Change, before: SagaRow) -> bool:
    """Whether the saga passed its pivot, ended, turned, or got to know what its pivot did."""
    after, found = change.saga, plan(change.saga.definition, change.saga.version)
    if found is None:
        return False
    if after.state != before.state or (after.stage != before.stage and after.stage > found.pivot_stage):
        return True
    return any(r.settled and found.places[r.position].stage == found.pivot_stage for r in change.updated)


def _call_attention(changes: Sequence[Change], before: Mapping[UUID, SagaRow], now: datetime) -> None:
    """Tell the definition about sagas that were parked just now, in the same transaction."""
    parked = [c.saga for c in changes if c.saga.hold == PARKED and before[c.saga.id].hold != PARKED]
    for saga in parked:
        logger.warning("saga_parked", saga_id=str(saga.id), reason=saga.hold_reason, reference=saga.reference)
    _tell_definitions(parked, lambda definition: definition.attention, now)


def _tell_of_waits(changes: Sequence[Change], before: Mapping[UUID, SagaRow], now: datetime) -> None:
    """Tell the definition about sagas that just now began to wait for somebody outside, in the same transaction."""
    waiting = [c.saga for c in changes if c.saga.hold == WAITING]
    new = [s for s in waiting if (before[s.id].hold, before[s.id].hold_reason) != (WAITING, s.hold_reason)]
    _tell_definitions(new, lambda definition: definition.waits, now)


def _tell_definitions(
    sagas: Sequence[SagaRow], hook_of: Callable[[SagaDefinition], Hook | None], now: datetime
) -> None:
    by_definition: dict[tuple[str, int], list[SagaNote]] = {}
    for saga in sagas:
        notes = by_definition.setdefault((saga.definition, saga.version), [])
        notes.append(note(saga, saga.hold_reason, "engine"))
    for key, notes in by_definition.items():
        found = plan(*key)
        if found is not None and (hook := hook_of(found.definition)) is not None:
            hook(notes, now)


def _tell_settled(changes: Sequence[Change], now: datetime) -> None:
    """In a choreography an undo that has nothing to tell of its own is told by the platform: others wait for it."""
    events = [
        log.Append(c.saga.id, None, _settled(c.saga, row), correlation_id=c.saga.correlation_id)
        for c in changes
        if c.saga.choreographed
        for row in (*c.created, *c.updated)
        if row.direction == UNDO and row.state in (DROPPED, SKIPPED)
    ]
    log.publish(events, now=now)


def _settled(saga: SagaRow, row: StepRow) -> UndoSettled:
    how = row.code if row.state == DROPPED else "by_hand"
    return UndoSettled(saga_id=saga.id, subject_id=saga.subject_id, undo=row.name, how=how)


def note(saga: SagaRow, reason: str, actor: str) -> SagaNote:
    """What a definition's hook is told."""
    return SagaNote(saga.id, saga.shop_id, saga.subject_id, saga.reference, reason, actor, saga.context)


def _tell_after_commit(changes: Sequence[Change]) -> None:
    paths = chains.paths(changes)
    if paths:
        transaction.on_commit(partial(chains.send, paths), robust=True)


def in_halves(
    ids: Sequence[UUID], run: Callable[[Sequence[UUID]], Batch], park: Callable[[UUID, Exception], Batch]
) -> Batch:
    """Run a failing batch in ever smaller halves until the one at fault stands alone; it is parked."""
    if not ids:
        return Batch()
    try:
        return run(ids)
    except Exception as error:  # noqa: BLE001 - a handler may raise anything; it is bisected and reported
        if len(ids) == 1:
            return park(ids[0], error)
    middle = len(ids) // 2
    first = in_halves(ids[:middle], run, park)
    first.add(in_halves(ids[middle:], run, park))
    return first


def told_apart(step: Step, size: int, error: Exception) -> None:
    """Say that a batch failed as a whole: its rows are run again, in ever smaller parts."""
    logger.warning("batch_divided", step=step.name, size=size, error=words_of(error))


def report(error: BaseException, saga: SagaRow, row: StepRow) -> None:
    """Tell Sentry of a bug, with the saga it stopped."""
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("step", row.name)
        scope.set_context(
            "saga", {"id": str(saga.id), "reference": saga.reference, "definition": saga.definition}
        )
        scope.capture_exception(error)
    logger.error("step_failed", step=row.name, saga_id=str(saga.id), error=words_of(error))
