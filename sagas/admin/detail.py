"""What the page of one saga tells: its steps in order, what was asked of it, and the events it left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sagas import display, preview, queries
from sagas.admin.acts import ACTS, Act
from sagas.definition import Kind, Plan, plan
from sagas.engine.rows import DO, GAVE_UP
from sagas.models import Saga, SagaStep
from sagas.standing import current, segments, standing, words

#: How a definition's kinds read on the page.
KINDS = {
    Kind.COMPENSATABLE: "can be given back",
    Kind.PIVOT: "point of no return",
    Kind.RETRIABLE: "only forward",
}


@dataclass(frozen=True)
class Try:
    """One entry of a step's short history."""

    at: datetime
    attempt: int
    verdict: str
    code: str
    worker: str


@dataclass(frozen=True)
class Line:
    """One step as the page shows it."""

    step: SagaStep
    kind: str
    pivot: bool
    look: str
    said: str
    tries: list[Try]
    made: list[tuple[str, Any, bool]]  #: What it gave: name, value, whether the value names a stream.


@dataclass(frozen=True)
class Button:
    """One act on this saga, and what it would do; impossible acts say why."""

    act: Act
    possible: bool
    told: str


def story(saga: Saga, *, now: datetime) -> dict[str, Any]:
    """Everything the page shows of one saga."""
    steps = queries.steps_in_order(saga.pk)
    asked = list(queries.intents_of(saga.pk))
    found = plan(saga.definition, saga.version)
    lines = [_line(saga, step, found) for step in steps]
    buttons = list(_buttons(saga, steps, now))
    can_turn_back = any(button.possible for button in buttons if button.act.kind == "turn_back")
    streams = _streams(saga, lines)
    led_by_nobody = saga.style == Saga.Style.CHOREOGRAPHY
    return {
        "title": saga.label or saga.reference,
        "saga": saga,
        "now": now,
        "segments": segments(saga, steps),
        "waits": standing(saga, steps, asked=asked, pauses=queries.pauses()),
        "lines": lines,
        "coming": _coming(found, steps) if saga.finished_at is None and saga.state != "compensating" else [],
        "intents": [
            (intent, preview.in_words(intent.answer, refused=intent.state == "refused")) for intent in asked
        ],
        "events": queries.event_lines(list(streams)),
        "streams": streams,
        "buttons": buttons,
        "deadline": saga.deadline_at if can_turn_back and not led_by_nobody else None,
        "patience": saga.deadline_at if led_by_nobody else None,
        "led_by_nobody": led_by_nobody,
        "known": found is not None,
    }


def _line(saga: Saga, step: SagaStep, found: Plan | None) -> Line:
    place = found.places[step.position] if found and step.position < len(found.places) else None
    undo = step.direction != DO
    kind = (
        f"gives back {words(place.spec.name)}" if undo and place else KINDS[place.spec.kind] if place else ""
    )
    pivot = bool(place) and not undo and place is not None and place.spec.kind is Kind.PIVOT
    tries = [Try(datetime.fromisoformat(at), attempt, verdict, code, worker)
             for at, attempt, verdict, code, worker in step.history]  # fmt: skip
    return Line(step, kind, pivot, *_said(saga, step), tries, list(_made(step.result)))


def _said(saga: Saga, step: SagaStep) -> tuple[str, str]:
    """A step's look and state in words."""
    if step.state != SagaStep.State.DUE:
        return _LOOKS[step.state], step.state.replace("_", " ")
    if step.lease_until:
        return "busy", "in flight"
    if step.wake_at is None:
        stopped = saga.hold in (Saga.Hold.PARKED, Saga.Hold.PAUSED) and step.attempt > 0
        return (display.LOOKS[saga.hold], saga.hold) if stopped else ("quiet", "held back")
    return ("wait", "tries again") if step.tries else ("busy", "due")


_LOOKS = {"done": "ok", "refused": "alarm", "skipped": "wait", "gave_up": "alarm", "dropped": "quiet"}


def _made(result: dict[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    for name, value in sorted(result.items()):
        yield name, value, _as_id(value) is not None


def _coming(found: Plan | None, steps: Iterable[SagaStep]) -> list[tuple[str, str, bool]]:
    """Steps that have not begun: name, kind, whether it is the pivot."""
    begun = {step.position for step in steps}
    places = found.places if found else ()
    return [
        (p.spec.name, KINDS[p.spec.kind], p.spec.kind is Kind.PIVOT)
        for p in places
        if p.position not in begun
    ]


def _streams(saga: Saga, lines: Iterable[Line]) -> dict[UUID, str]:
    """The streams whose events belong to the story, with a name for each."""
    found = {saga.subject_id: "order", saga.pk: "saga"}
    for name, value, _ in (made for line in lines for made in line.made):
        if (id_ := _as_id(value)) is not None and name.endswith("_id"):
            found.setdefault(id_, name.removesuffix("_id").replace("_", " "))
    return found


def _buttons(saga: Saga, steps: list[SagaStep], now: datetime) -> Iterator[Button]:
    stuck = (
        [s for s in steps if s.state == GAVE_UP] or current(steps) or [s for s in steps if s.state == "due"]
    )
    payloads = {kind: {"step": stuck[0].name} if kind == "skip" and stuck else {} for kind in ACTS}
    foreseen = preview.possible(saga, payloads, now=now)
    for kind, act in ACTS.items():
        yield Button(act, foreseen[kind].possible, foreseen[kind].words)


def _as_id(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
