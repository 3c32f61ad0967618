"""Where a saga stands, in the words of a page: its bar of steps, what it waits for and since when. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sagas.circuits import CIRCUIT_OPEN
from sagas.definition import Plan, plan
from sagas.engine.rows import DO, DONE, DROPPED, DUE, GAVE_UP, REFUSED, SKIPPED, UNDO
from sagas.models import Intent, Pause, Saga, SagaStep
from sagas.steps import all_steps

Pauses = Mapping[tuple[str, str], Pause]


@dataclass(frozen=True)
class Segment:
    """One step in the bar. `look` is its style, a key of LOOKS."""

    name: str
    look: str
    words: str


@dataclass(frozen=True)
class Standing:
    """What a saga waits for. `look` is quiet, busy, waiting or alarm; empty at its end."""

    what: str
    since: datetime | None
    look: str = "quiet"


LOOKS = {
    "todo": "has not begun",
    "due": "is due",
    "flying": "is in flight",
    "done": "done",
    "skipped": "skipped by a person",
    "refused": "refused",
    "undoing": "is being given back",
    "undone": "given back",
    "stuck": "stopped, a person must look",
    "dropped": "never ran",
}
_ENDED = {DONE: "done", SKIPPED: "skipped", REFUSED: "refused", GAVE_UP: "stuck", DROPPED: "dropped"}


def words(name: str) -> str:
    """`shipping.book_shipment` as people say it: book shipment."""
    return name.rpartition(".")[2].replace("_", " ")


def segments(saga: Saga, steps: Sequence[SagaStep]) -> list[Segment]:
    """The bar: one segment for each step of the definition, in its order."""
    rows = {(s.position, s.direction): s for s in steps if (s.direction, s.state) != (UNDO, DROPPED)}
    names = _names(plan(saga.definition, saga.version), steps)
    held = saga.hold == Saga.Hold.PARKED
    return [_segment(n, rows.get((at, DO)), rows.get((at, UNDO)), held) for at, n in sorted(names.items())]


def _names(found: Plan | None, steps: Sequence[SagaStep]) -> dict[int, str]:
    if found is not None:
        return {place.position: place.spec.name for place in found.places}
    return {s.position: s.name for s in steps if s.direction == DO}


def _segment(name: str, do: SagaStep | None, undo: SagaStep | None, held: bool) -> Segment:
    look = _undo_look(undo) if undo is not None else _do_look(do)
    if held and look == "due" and do is not None and do.wake_at is None:
        look = "stuck"
    return Segment(name, look, f"{words(name)}: {LOOKS[look]}")


def _undo_look(undo: SagaStep) -> str:
    if undo.state == DUE:
        return "undoing"
    return "stuck" if undo.state == GAVE_UP else "undone"


def _do_look(do: SagaStep | None) -> str:
    if do is None:
        return "todo"
    if do.state == DUE:
        return "flying" if do.lease_until else "due"
    return _ENDED[do.state]


def standing(
    saga: Saga, steps: Sequence[SagaStep], *, asked: Sequence[Intent] = (), pauses: Pauses | None = None
) -> Standing:
    """What this saga waits for, and since when. `asked` are its open intents; `pauses` hold for all."""
    if saga.finished_at is not None:
        return Standing("", saga.finished_at)
    if saga.hold == Saga.Hold.PARKED:
        return Standing(f"a person: {in_words(saga.hold_reason)}", saga.hold_since, "alarm")
    if saga.hold == Saga.Hold.PAUSED:
        return Standing(f"paused by {saga.hold_owner}: {saga.hold_reason}", saga.hold_since, "waiting")
    if new := [i for i in asked if i.state == Intent.State.NEW]:
        return Standing(
            f"{new[0].get_kind_display().lower()}, asked by {new[0].actor}", new[0].made_at, "busy"
        )
    if saga.hold == Saga.Hold.WAITING:
        return Standing(saga.hold_reason, saga.hold_since, "waiting")
    return _at_steps(saga, current(steps), pauses or {})


def current(steps: Sequence[SagaStep]) -> list[SagaStep]:
    """The steps a saga stands at: due, or in flight; the newest undo first when it turns back."""
    open_now = [s for s in steps if s.state == DUE and (s.wake_at or s.lease_until)]
    return sorted(
        open_now, key=lambda s: (s.direction == DO, -s.position if s.direction == UNDO else s.position)
    )


def _at_steps(saga: Saga, open_now: Sequence[SagaStep], pauses: Pauses) -> Standing:
    if not open_now and saga.style == Saga.Style.CHOREOGRAPHY:
        return Standing("somebody to go on from what was told last", saga.moved_at, "busy")
    if not open_now:
        return Standing("nothing that is due", saga.moved_at, "alarm")
    step = open_now[0]
    more = f" (+{len(open_now) - 1})" if len(open_now) > 1 else ""
    if pause := _pause_of(step, pauses):
        what = f"{words(step.name)}{more}: {pause.scope} paused by {pause.actor}, {pause.reason}"
        return Standing(what, pause.since, "waiting")
    return _at_step(step, f"{words(step.name)}{more}")


def _at_step(step: SagaStep, named: str) -> Standing:
    if step.lease_until:
        return Standing(f"{named}: an answer", step.began_at, "busy")
    if step.code == CIRCUIT_OPEN:
        return Standing(f"{named}: the circuit of {step.detail} to close", step.began_at, "waiting")
    if step.tries:
        tried = f"{step.tries} {'try' if step.tries == 1 else 'tries'}"
        return Standing(f"{named}: next try after {tried}, {step.code}", step.began_at, "waiting")
    return Standing(f"{named}: a worker", step.wake_at, "busy")


def _pause_of(step: SagaStep, pauses: Pauses) -> Pause | None:
    known = all_steps().get(step.name)
    provider = known.provider if known else ""
    return pauses.get(("step", step.name)) or pauses.get(("provider", provider))


def in_words(reason: str) -> str:
    """A hold's reason in people's words: `payments.capture_payment: busy` is `capture payment: busy`."""
    parts = [part.partition(":") for part in reason.split("; ")]
    return "; ".join(
        f"{words(name)}{colon}{rest}" if "." in name else name + colon + rest for name, colon, rest in parts
    )
