"""What pages, the API and commands read of sagas. Nothing here counts a whole table or asks per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from sagas.definition import plan
from sagas.engine.rows import DO, DONE, DUE, SKIPPED
from sagas.models import Intent, Saga, SagaStep
from sagas.sql import rows

BOARD = """
SELECT t.name, t.direction, count(*), min(t.began_at), min(s.started_at),
       count(*) FILTER (WHERE s.hold = 'parked'), count(*) FILTER (WHERE t.lease_until IS NOT NULL),
       coalesce(sum(s.amount_minor), 0)
  FROM sagas_step t JOIN sagas_saga s ON s.id = t.saga_id
 WHERE t.finished_at IS NULL
 GROUP BY 1, 2 ORDER BY 1, 2
"""
FAILURES = """
SELECT s.cause_code, s.cause_step, s.currency, count(*), sum(s.amount_minor), max(s.moved_at)
  FROM sagas_saga s WHERE s.cause_code <> '' AND s.id >= %s
 GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT %s
"""


@dataclass(frozen=True)
class BoardRow:
    """What waits at one step: how many, since when, and the money in them."""

    step: str
    direction: str
    count: int
    oldest_try: datetime | None
    oldest_saga: datetime
    parked: int
    in_flight: int
    amount_minor: int


@dataclass(frozen=True)
class FailureGroup:
    """Sagas that turned back for one reason, with the money in them."""

    code: str
    step: str
    currency: str
    count: int
    amount_minor: int
    last_at: datetime


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
    if step:
        open_steps = SagaStep.objects.filter(saga_id=OuterRef("pk"), name=step, finished_at__isnull=True)
        found = found.filter(Exists(open_steps))
    return found


def steps_in_order(saga_id: UUID) -> list[SagaStep]:
    """A saga's steps in the order they began; those that have not begun come last, in the order they will."""
    found = list(SagaStep.objects.filter(saga_id=saga_id))
    return sorted(found, key=_when)


def _when(step: SagaStep) -> tuple[Any, ...]:
    back = step.direction != DO
    return (back, -step.position if back else step.position)


def story(saga_id: UUID) -> list[str]:
    """The saga in one short line per step: `book_shipment: refused`. A step that is simply done is its name."""
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


def board() -> list[BoardRow]:
    """What is unfinished, by step. Reads only unfinished rows."""
    return [BoardRow(*row) for row in rows(BOARD)]


def failures(since: UUID, *, limit: int = 50) -> list[FailureGroup]:
    """Why sagas turned back since the moment in a UUIDv7, most frequent first."""
    return [FailureGroup(*row) for row in rows(FAILURES, [since, limit])]


def intents_of(saga_id: UUID) -> QuerySet[Intent]:
    """What was asked of a saga, oldest first."""
    return Intent.objects.filter(saga_id=saga_id).order_by("made_at", "id")
