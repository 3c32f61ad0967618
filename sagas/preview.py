"""What an act would do to a saga, told before it is done: the engine's own rules on copies of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

from sagas.definition import plan
from sagas.engine import asked as rules
from sagas.engine import store
from sagas.engine.cases import open_case
from sagas.engine.rows import UNDO, Change, SagaRow
from sagas.ids import uuid7
from sagas.models import Saga
from sagas.standing import words

#: What became of an act, or would, as people say it. The keys are the engine's answers.
ANSWERS = {
    "turned_back": "gives everything back",
    "turned_back_already": "has turned back already",
    "behind_the_pivot": "refused: it is past the point of no return and can only go forward",
    "pivot_in_flight": "waits until it is known whether the point of no return was passed, then decides",
    "after_the_pivot": "waits for its end, then a cancellation of its own begins",
    "late": "a cancellation of its own began",
    "final": "refused: it has come to its end",
    "not_held": "refused: it does not stand still",
    "paused": "stands still until it is resumed; what is in flight comes to its end first",
    "resumed": "goes on",
    "retried": "tries again now, with fresh tries",
    "skipped": "takes the stated result and goes on",
    "no_such_open_step": "refused: no such step is open",
    "in_flight": "refused: that step is in flight, its answer must come first",
    "asked": "asks the app that owns it to request the cancellation; each app then gives back its own part",
    "each_app_for_itself": "refused: in a choreography the event of the step is what the others go by",
    "redriven": "hears again what was told of it; what it has begun already is not begun twice",
    "led": "refused: the engine leads it, nobody waits for an event",
    "resolved": "ends here and lets go of what it held; the rest is left to you",
    "unknown_definition": "refused: this code does not know its definition",
}


@dataclass(frozen=True)
class Foreseen:
    """What an act would do to one saga. `steps` are the steps it makes due or ends."""

    saga: Saga
    possible: bool
    answer: str
    steps: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """One sentence for a person."""
        said = in_words(self.answer, refused=not self.possible)
        return f"{said}: {', '.join(words(s) for s in self.steps)}" if self.steps else said


def in_words(answer: str, *, refused: bool = False) -> str:
    """An engine's answer as a person reads it."""
    if answer == "paused" and refused:
        return "refused: it is paused, resume it instead"
    return ANSWERS.get(answer, answer.replace("_", " "))


def foresee(
    kind: str, sagas: Sequence[Saga], *, now: datetime, payload: Mapping[str, Any] | None = None
) -> list[Foreseen]:
    """What `kind` would do to each of these sagas as they stand. Locks nothing, writes nothing."""
    known = store.steps_of(saga.pk for saga in sagas)
    return [_one(kind, saga, known.get(saga.pk, []), now, dict(payload or {})) for saga in sagas]


def possible(saga: Saga, payloads: Mapping[str, Mapping[str, Any]], *, now: datetime) -> dict[str, Foreseen]:
    """What each of several acts would do to one saga, by kind. Reads its steps once."""
    known = store.steps_of([saga.pk]).get(saga.pk, [])
    return {kind: _one(kind, saga, known, now, dict(payload)) for kind, payload in payloads.items()}


def _one(kind: str, saga: Saga, steps: list[Any], now: datetime, payload: dict[str, Any]) -> Foreseen:
    if kind == "redrive":
        return _redrive(saga)
    found = plan(saga.definition, saga.version)
    if found is None:
        return Foreseen(saga, False, "unknown_definition")
    case = open_case(found, row_of(saga), steps, now=now, rng=Random(0))  # noqa: S311 - jitter of a rehearsal
    reply = rules.apply(case, rules.Asked(uuid7(), saga.pk, kind, "", "", payload))
    return Foreseen(saga, reply.state != rules.REFUSED, reply.answer, _steps(case.change(), reply))


def _redrive(saga: Saga) -> Foreseen:
    led = saga.style != Saga.Style.CHOREOGRAPHY
    return Foreseen(saga, not led, "led" if led else "redriven")


def _steps(change: Change, reply: rules.Reply) -> tuple[str, ...]:
    if reply.state != rules.APPLIED or reply.answer == "paused":
        return ()
    touched = [r for r in change.updated if not (reply.answer == "turned_back" and r.direction == UNDO)]
    if reply.answer == "turned_back":
        return tuple(r.name for r in sorted(change.created, key=lambda r: -r.position))
    if reply.answer == "resolved":
        return tuple(r.name for r in change.updated)
    return tuple(r.name for r in (*touched, *change.created) if r.open and r.wake_at is not None)


def row_of(saga: Saga) -> SagaRow:
    """The engine's plain copy of a saga."""
    return SagaRow(**{name: getattr(saga, name) for name in store.SAGA_COLUMNS})


def sagas_in_order(ids: Sequence[UUID]) -> list[Saga]:
    """These sagas, newest first."""
    return list(Saga.objects.filter(pk__in=ids).order_by("-id"))
