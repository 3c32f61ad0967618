"""What pages, the API and commands read of sagas. Nothing here counts a whole table or asks per row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from sagas.definition import plan
from sagas.engine.rows import DO, DONE, DUE, SKIPPED
from sagas.forced import ForcedCircuit
from sagas.models import Intent, ParkedEvent, Pause, Saga, SagaStep
from sagas.resilience.circuit import Forced, Position
from sagas.sql import rows

# From code to code through the index, however many sagas failed with each.
FAILURE_CODES = """
WITH RECURSIVE codes (code, cause, looked) AS (
  (SELECT cause_code, cause, 1 FROM sagas_saga WHERE cause_code <> '' ORDER BY cause_code, id LIMIT 1)
  UNION ALL
  SELECT n.cause_code, n.cause, c.looked + 1 FROM codes c CROSS JOIN LATERAL (
    SELECT cause_code, cause FROM sagas_saga
     WHERE cause_code <> '' AND cause_code > c.code ORDER BY cause_code, id LIMIT 1) n
   WHERE c.looked < %s
)
SELECT code FROM codes WHERE cause <> 'intent' ORDER BY code
"""
#: Reasons of people are codes too, and free text: the way through them is bounded.
CODES_LOOKED_AT = 500
EVENTS = """
SELECT stream, version, type, at, metadata, left(data::text, %s), length(data::text), era, xid, position
  FROM sagas_event WHERE stream = ANY(%s::uuid[]) ORDER BY era DESC, xid DESC, position DESC LIMIT %s
"""


def list_sagas(
    *,
    state: str = "",
    hold: str = "",
    definition: str = "",
    step: str = "",
    failure: str = "",
    shop_ids: Sequence[UUID] | None = None,
    key: str = "",
) -> QuerySet[Saga]:
    """Sagas, newest first, for keyset pages by id. `step` is one they stand at; `failure` a cause code."""
    found = Saga.objects.order_by("-id")
    equal = {"state": state, "hold": hold, "definition": definition, "cause_code": failure, "search_key": key}
    found = found.filter(**{name: value for name, value in equal.items() if value})
    if shop_ids is not None:
        found = found.filter(shop_id__in=shop_ids)
    if state and state not in Saga.FINAL:
        found = unfinished(found)
    return standing_at(found, step) if step else found


def unfinished(found: QuerySet[Saga]) -> QuerySet[Saga]:
    """Those that have not come to an end. Said so that the small index on them serves."""
    return found.filter(finished_at__isnull=True)


def is_unfinished(saga_id: UUID) -> bool:
    """Whether there is such a saga, and it has not come to an end."""
    return unfinished(Saga.objects.filter(pk=saga_id)).exists()


def waiting_for(saga_id: UUID) -> str:
    """The code of what a saga waits for. Empty when it does not wait."""
    held = Saga.objects.filter(pk=saga_id, hold="waiting", finished_at=None).values_list(
        "hold_reason", flat=True
    )
    return held.first() or ""


def unfinished_beside(saga_id: UUID) -> set[UUID]:
    """The unfinished sagas that are found by the same word as this one, in its shop; itself too, if it is one."""
    one = Saga.objects.filter(pk=saga_id).values("shop_id", "search_key").first()
    return set(unfinished(Saga.objects.filter(**one)).values_list("pk", flat=True)) if one else set()


def standing_at(found: QuerySet[Saga], step: str) -> QuerySet[Saga]:
    """Those with an unfinished step of that name."""
    open_steps = SagaStep.objects.filter(saga_id=OuterRef("pk"), name=step, finished_at__isnull=True)
    return unfinished(found).filter(Exists(open_steps))


def search(found: QuerySet[Saga], term: str) -> QuerySet[Saga]:
    """Those with this id or subject, or whose search key begins with `term`. Indexes serve each way."""
    term = term.strip()
    if id_ := _as_id(term):
        return found.filter(Q(id=id_) | Q(subject_id=id_))
    # A range and not LIKE alone: a plain index serves it under the "C" collations of our databases.
    return found.filter(search_key__gte=term, search_key__lt=term + "\U0010ffff", search_key__startswith=term)


def named(term: str, *, limit: int = 20) -> list[Saga]:
    """The sagas with exactly this id, subject or search key, newest first."""
    found = Saga.objects.order_by("-id")
    if id_ := _as_id(term):
        return list(found.filter(Q(id=id_) | Q(subject_id=id_))[:limit])
    return list(found.filter(search_key=term)[:limit])


def _as_id(term: str) -> UUID | None:
    try:
        return UUID(term) if len(term) >= 32 else None
    except ValueError:
        return None


def steps_in_order(saga_id: UUID) -> list[SagaStep]:
    """A saga's steps in the order they began; those that have not begun come last, in the order they will.

    The undo of what never began is a tombstone, and no part of the story.
    """
    tombstones = {"direction": SagaStep.Direction.UNDO, "state": SagaStep.State.DROPPED}
    found = list(SagaStep.objects.filter(saga_id=saga_id).exclude(**tombstones))
    return sorted(found, key=_when)


def _when(step: SagaStep) -> tuple[Any, ...]:
    back = step.direction != DO
    return (back, -step.position if back else step.position)


def story(saga_id: UUID) -> list[str]:
    """The saga in a short line per step: `book_shipment: refused`. A step that is simply done is its name."""
    return [tell(step) for step in steps_in_order(saga_id)]


def tell(step: SagaStep) -> str:
    """One step in short words."""
    name = step.name.partition(".")[2]
    if step.state == DONE:
        return name
    if step.state == DUE:
        return f"{name}: {step.verdict or ('in flight' if step.lease_until else 'due')}"
    return f"{name}: {step.state}"


def progress(saga: Saga, steps: Sequence[SagaStep]) -> tuple[int, int]:
    """How many forward steps are done, and how many the definition has."""
    found = plan(saga.definition, saga.version)
    total = len(found.places) if found else max((s.position for s in steps), default=0) + 1
    done = sum(1 for s in steps if s.direction == DO and s.state in (DONE, SKIPPED))
    return done, total


def failure_codes() -> list[str]:
    """Every code that ever turned a saga back, but for the reasons people gave."""
    return [code for (code,) in rows(FAILURE_CODES, [CODES_LOOKED_AT], prepare=False)]


@dataclass(frozen=True)
class EventLine:
    """One event as a page shows it: readable although this code may not know its type. `data` may be cut."""

    stream: UUID
    version: int
    type: str
    at: datetime
    actor: str
    reason: str
    data: str
    cut: bool


def event_lines(streams: Sequence[UUID], *, limit: int = 200, characters: int = 2_000) -> list[EventLine]:
    """The newest events of some streams, oldest first, in the order of the feed."""
    found = rows(EVENTS, [characters, list(set(streams)), limit]) if streams else []
    return [_event_line(row, characters) for row in reversed(found)]


def _event_line(row: tuple[Any, ...], characters: int) -> EventLine:
    stream, version, type_, at, metadata, data, length, *_ = row
    told = json.loads(metadata) if isinstance(metadata, str) else metadata
    return EventLine(
        stream, version, type_, at, told.get("actor", ""), told.get("reason", ""), data, length > characters
    )


def steps_of(saga_ids: Sequence[UUID]) -> dict[UUID, list[SagaStep]]:
    """The steps of many sagas in one query, without what pages do not show."""
    found: dict[UUID, list[SagaStep]] = {}
    for step in SagaStep.objects.filter(saga_id__in=saga_ids).defer("memo", "result", "history"):
        found.setdefault(step.saga_id, []).append(step)
    return found


def open_intents(saga_ids: Sequence[UUID]) -> dict[UUID, list[Intent]]:
    """What was asked of many sagas and is not answered yet, oldest first, in one query."""
    states = (Intent.State.NEW, Intent.State.DEFERRED)
    found: dict[UUID, list[Intent]] = {}
    for intent in Intent.objects.filter(saga_id__in=saga_ids, state__in=states).order_by("made_at", "id"):
        found.setdefault(intent.saga_id, []).append(intent)
    return found


def pauses() -> dict[tuple[str, str], Pause]:
    """What people have stopped for everybody, by scope and name."""
    return {(p.scope, p.name): p for p in Pause.objects.all()}


def forced_circuits() -> dict[tuple[str, str], Forced]:
    """Where people hold circuits, by provider and operation."""
    return {
        (row.provider, row.operation): Forced(
            position=Position(row.position), actor=row.actor, reason=row.reason, since=row.since.timestamp()
        )
        for row in ForcedCircuit.objects.all()
    }


def parked_events(*, subscription: str = "") -> QuerySet[ParkedEvent]:
    """Events nobody has settled yet, newest first."""
    found = ParkedEvent.objects.filter(settled_at__isnull=True).order_by("-id")
    return found.filter(subscription=subscription) if subscription else found


def intents_of(saga_id: UUID) -> QuerySet[Intent]:
    """What was asked of a saga, oldest first."""
    return Intent.objects.filter(saga_id=saga_id).order_by("made_at", "id")
