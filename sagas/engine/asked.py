"""What a person or a shop may ask of a saga, pure: which acts are possible from where, and what they change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sagas.engine.core import Case
from sagas.engine.part import Part
from sagas.engine.rows import (
    COMPENSATED,
    COMPENSATING,
    COMPLETED,
    DO,
    FINAL,
    GAVE_UP,
    NONE,
    PARKED,
    PAUSED,
    SKIPPED,
    StepRow,
)

APPLIED, DEFERRED, REFUSED = "applied", "deferred", "refused"


@dataclass(frozen=True)
class Asked:
    """One intent as the rules see it."""

    id: UUID
    saga_id: UUID
    kind: str
    actor: str
    reason: str
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What became of an intent. `late` tells the definition that a cancel came after the pivot."""

    state: str
    answer: str
    late: bool = False


def apply(case: Case, asked: Asked) -> Reply:
    """Decide one intent on a case. The case is changed; the reply says what became of it."""
    return _ACTS[asked.kind](case, asked)


def _cancel(case: Case, asked: Asked) -> Reply:
    saga = case.saga
    if saga.state in (COMPENSATING, COMPENSATED):
        return Reply(APPLIED, "turned_back_already")
    if saga.state == COMPLETED:
        return Reply(APPLIED, "late", late=True)
    if isinstance(case, Part):
        return _wish(case, asked)
    if case.can_turn_back:
        case.turn_back("intent", asked.reason[:100] or "cancelled", "")
        return Reply(APPLIED, "turned_back")
    return Reply(DEFERRED, "after_the_pivot" if not case.pivot_in_flight else "pivot_in_flight")


def _wish(case: Part, asked: Asked) -> Reply:
    """Nobody can turn a choreography back for all: the definition's late cancel publishes the wish."""
    case.wish(asked.reason[:100] or "cancelled")
    return Reply(APPLIED, "asked", late=True)


def _turn_back(case: Case, asked: Asked) -> Reply:
    if case.saga.state in (COMPENSATING, COMPENSATED):
        return Reply(APPLIED, "turned_back_already")
    if isinstance(case, Part) and case.saga.state != COMPLETED:
        return _wish(case, asked)
    if case.pivot_in_flight:
        return Reply(DEFERRED, "pivot_in_flight")
    if not case.can_turn_back:
        return Reply(REFUSED, "behind_the_pivot")
    case.turn_back("intent", asked.reason[:100] or "turned_back", "")
    return Reply(APPLIED, "turned_back")


def _pause(case: Case, asked: Asked) -> Reply:
    if case.saga.state in FINAL:
        return Reply(REFUSED, "final")
    saga = case.saga
    saga.hold, saga.hold_reason, saga.hold_owner = PAUSED, asked.reason[:200], asked.actor[:100]
    saga.hold_since = case.now
    return Reply(APPLIED, "paused")


def _resume(case: Case, asked: Asked) -> Reply:
    del asked
    if case.saga.state in FINAL:
        return Reply(REFUSED, "final")
    if case.saga.hold == NONE:
        return Reply(REFUSED, "not_held")
    return _go_on(case, "resumed")


def _retry(case: Case, asked: Asked) -> Reply:
    del asked
    if case.saga.state in FINAL:
        return Reply(REFUSED, "final")
    if case.saga.hold == PAUSED:
        return Reply(REFUSED, "paused")
    return _go_on(case, "retried")


def _go_on(case: Case, answer: str) -> Reply:
    case.lift()
    for row in list(case.rows.values()):
        if row.state == GAVE_UP:
            case.reopen(row)
            if row.direction == DO:
                row.verdict = "unknown"
        elif row.open and row.lease_until is None and _was_on_its_way(case, row):
            case.touch(row).tries, row.wake_at, row.began_at = 0, case.now, None
    if case.saga.state == COMPENSATING:
        case.release()
    return Reply(APPLIED, answer)


def _was_on_its_way(case: Case, row: StepRow) -> bool:
    """Whether a row without wake-up was stopped, and is not just held back: behind a newer undo, or by a no."""
    if case.saga.state != COMPENSATING or row.wake_at is not None:
        return True
    if row.direction == DO:
        return not (case.saga.choreographed and row.settled)
    return row.attempt > 0


def _skip(case: Case, asked: Asked) -> Reply:
    row = _target(case, asked)
    if row is None:
        return Reply(REFUSED, "no_such_open_step")
    if row.lease_until is not None:
        return Reply(REFUSED, "in_flight")
    if case.saga.choreographed and row.direction == DO:
        return Reply(REFUSED, "each_app_for_itself")
    case.lift_after(row)
    case.finish(row, SKIPPED, dict(asked.payload.get("result") or {}))
    if case.saga.state in (COMPENSATING, COMPENSATED):
        case.undo_after_all(row)
        case.release()
    else:
        case.advance()
    return Reply(APPLIED, "skipped")


def _target(case: Case, asked: Asked) -> StepRow | None:
    wanted = asked.payload.get("step")
    for row in case.rows.values():
        if row.name == wanted and (row.open or row.state == GAVE_UP):
            return row
    return None


def _resolve(case: Case, asked: Asked) -> Reply:
    """A person has settled the rest by hand. Only what stands still may be resolved."""
    saga = case.saga
    if saga.state in FINAL:  # what it held is let go once more
        return Reply(APPLIED, "resolved_before")
    if saga.hold not in (PARKED, PAUSED):
        return Reply(REFUSED, "not_held")
    for row in list(case.rows.values()):
        if row.open or row.state == GAVE_UP:
            case.finish(row, SKIPPED)
    forward = asked.payload.get("as", COMPENSATED if saga.state == COMPENSATING else COMPLETED) == COMPLETED
    saga.epoch += 1
    saga.state, saga.finished_at, saga.deadline_at = (COMPLETED if forward else COMPENSATED), case.now, None
    case.lift()
    return Reply(APPLIED, "resolved")


#: Acts by which a person does what a step would have done.
BY_HAND = ("skip", "resolve")

_ACTS = {
    "cancel": _cancel,
    "turn_back": _turn_back,
    "pause": _pause,
    "resume": _resume,
    "retry": _retry,
    "skip": _skip,
    "resolve": _resolve,
}

__all__ = ["APPLIED", "BY_HAND", "DEFERRED", "REFUSED", "Asked", "Reply", "apply"]
