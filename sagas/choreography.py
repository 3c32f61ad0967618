"""How an app takes its part in a choreographed saga: from events, by itself, without knowing the flow.

A reaction names its own steps only. What it takes on becomes a due step row, run by the same code as any step:
claimed in batches, called outside transactions under a lease and with a key, retried, settled when unknown. Orders
that somebody orchestrates are passed over, so a reaction need not know the style of an order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from sagas.bell import ring
from sagas.engine import store
from sagas.engine.batch import RNG, commit, plan_of
from sagas.engine.part import Heard, Part, listen
from sagas.engine.rows import FINAL, NONE, WAITING, Change, SagaRow, StepRow
from sagas.log import Recorded


@dataclass(frozen=True, slots=True)
class TakeOn:
    """An app begins its step `step` for a subject."""

    subject_id: UUID
    step: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """An app begins its undo `undo`. A step that refused has noted the cause itself; a wish brings its own.

    `after` names apps that must have answered first. With `saga_id` it is meant for that saga alone.
    """

    subject_id: UUID
    undo: str
    cause: str = "refused"
    code: str = ""
    after: frozenset[str] = frozenset()
    saga_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The app `by` holds nothing of the subject any more. An undo that was to come after it may go."""

    subject_id: UUID
    by: str


@dataclass(frozen=True, slots=True)
class Hear:
    """Something was told about a subject: it is kept with its saga."""

    subject_id: UUID
    type: str
    stream: UUID
    version: int

    @classmethod
    def of(cls, subject_id: UUID, recorded: Recorded) -> Hear:
        """From an event of the feed."""
        return cls(subject_id, recorded.type, recorded.stream, recorded.version)


Act = TakeOn | GiveBack | Answered | Hear


def act(acts: Iterable[Act], *, now: datetime) -> None:
    """Do what a batch of events makes an app do, in the caller's transaction; rings after its commit.

    Safe to repeat, in any order: a step begins once, and not after its app has given back. One lock, one read
    and one write, whatever the number.
    """
    by_subject: dict[UUID, list[Act]] = {}
    for item in acts:
        by_subject.setdefault(item.subject_id, []).append(item)
    if not by_subject:
        return
    only_heard = all(isinstance(item, Hear) for some in by_subject.values() for item in some)
    at, sagas = store.lock_choreographed(by_subject, open_only=only_heard)  # one that has ended hears nothing
    if at is None:
        return
    known = _steps_for([(saga, by_subject[saga.subject_id]) for saga in sagas.values()])
    changes = [
        _change(saga, known.get(saga.id, []), by_subject[saga.subject_id], at) for saga in sagas.values()
    ]
    made = [c for c in changes if c.saga_changed or c.updated or c.created]
    for name in sorted(commit(made, sagas, now=now).due | _passed_over(known, at)):
        transaction.on_commit(partial(ring, name), robust=True)


def _passed_over(known: Mapping[UUID, Sequence[StepRow]], at: datetime) -> set[str]:
    """Steps that were due while these sagas were locked here: a claim may have passed over them just now."""
    due = [r for steps in known.values() for r in steps if r.open and r.lease_until is None and r.wake_at]
    return {r.name for r in due if r.wake_at is not None and r.wake_at <= at}


def rows_needed(saga: SagaRow, acts: Sequence[Act]) -> frozenset[str] | None:
    """Names of the step rows that acts need of a saga; None stands for all, an empty set for listening only.

    As long as nobody has turned a saga back or holds it no undo stands against a step that begins.
    """
    if saga.hold in (NONE, WAITING) and all(isinstance(a, Hear) for a in acts):
        return frozenset()
    untroubled = not saga.cause and saga.hold == NONE and saga.state not in FINAL
    if untroubled and all(isinstance(a, TakeOn) for a in acts):
        return frozenset(a.step for a in acts if isinstance(a, TakeOn))
    return None


def _steps_for(pairs: Sequence[tuple[SagaRow, list[Act]]]) -> dict[UUID, list[StepRow]]:
    needed = {saga.id: rows_needed(saga, acts) for saga, acts in pairs}
    some = {saga_id: names for saga_id, names in needed.items() if names}
    named = store.steps_named(some, frozenset().union(*some.values()))
    return named | store.steps_of(saga_id for saga_id, names in needed.items() if names is None)


def _change(saga: SagaRow, steps: list[StepRow], acts: Sequence[Act], at: datetime) -> Change:
    if rows_needed(saga, acts) == frozenset():
        return listen(saga, heard_in(acts), at)
    part = Part(plan_of(saga), saga, steps, now=at, rng=RNG)
    apply_all(part, acts)
    return part.change()


def apply_all(part: Part, acts: Sequence[Act]) -> None:
    """Decide what events make apps do with one saga. Pure, like the rules."""
    # What is given back comes first: if both are heard at once, nothing is begun only to be undone.
    for item in sorted(acts, key=lambda a: isinstance(a, TakeOn)):
        _apply(part, item)
    if heard := heard_in(acts):
        part.hear(heard)


def heard_in(acts: Sequence[Act]) -> list[Heard]:
    """The events among acts that are to be remembered."""
    return [(a.type, str(a.stream), a.version) for a in acts if isinstance(a, Hear)]


def _apply(part: Part, item: Act) -> None:
    match item:
        case TakeOn():
            part.take_on(item.step)
        case GiveBack() if item.saga_id in (None, part.saga.id):
            part.give_back(item.undo, item.cause, item.code, after=item.after)
        case Answered():
            part.answered(item.by)
