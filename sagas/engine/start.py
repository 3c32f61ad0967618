"""Starting sagas: rows in the caller's transaction, so that the fact and its saga are one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from sagas import documents
from sagas.bell import ring
from sagas.definition import Plan, latest, plan
from sagas.engine.part import PATIENCE
from sagas.engine.rows import CHOREOGRAPHY, DO, DONE, ORCHESTRATION, PENDING, RUNNING, SagaRow, StepRow
from sagas.ids import operation_key, uuid7
from sagas.sql import rows

# A saga that exists already keeps what it is: the same reference starts it once. Its first steps go with it.
START = """
WITH new AS (
  INSERT INTO sagas_saga (id, definition, version, shop_id, subject_id, reference, search_key, label, amount_minor,
         currency, context, correlation_id, deadline_at, style, state, stage, started_at, moved_at,
         hold, hold_reason, hold_owner, epoch, cause, cause_code, cause_step)
  SELECT u.id, u.definition, u.version, u.shop_id, u.subject_id, u.reference, u.search_key, u.label,
         u.amount_minor, u.currency, u.context, u.correlation_id, waybill_now() + u.deadline, u.style, u.state,
         u.stage, %(now)s, %(now)s, 'none', '', '', 0, '', '', ''
    FROM unnest(%(id)s::uuid[], %(definition)s::text[], %(version)s::smallint[], %(shop_id)s::uuid[],
                %(subject_id)s::uuid[], %(reference)s::text[], %(search_key)s::text[], %(label)s::text[],
                %(amount_minor)s::bigint[], %(currency)s::text[], %(context)s::jsonb[],
                %(correlation_id)s::text[], %(deadline)s::interval[], %(style)s::text[], %(state)s::text[],
                %(stage)s::smallint[])
      AS u (id, definition, version, shop_id, subject_id, reference, search_key, label, amount_minor, currency,
            context, correlation_id, deadline, style, state, stage)
  ON CONFLICT (shop_id, definition, reference) DO NOTHING
  RETURNING id
), first_steps AS (
  INSERT INTO sagas_step (id, saga_id, position, direction, name, state, epoch, attempt, tries, intent_number, key,
         verdict, code, detail, memo, result, history, wake_at, began_at, finished_at, worker)
  SELECT u.id, u.saga_id, u.position, 'do', u.name, u.state, 0, 0, 0, 1, u.key, '', '', '', '{}'::jsonb,
         '{}'::jsonb, '[]'::jsonb, CASE u.state WHEN 'due' THEN waybill_now() END, u.done_at, u.done_at, ''
    FROM unnest(%(step_id)s::uuid[], %(step_saga_id)s::uuid[], %(step_position)s::smallint[],
                %(step_name)s::text[], %(step_key)s::uuid[], %(step_state)s::text[],
                %(step_finished_at)s::timestamptz[])
      AS u (id, saga_id, position, name, key, state, done_at)
   WHERE u.saga_id IN (SELECT id FROM new)
)
SELECT id FROM new
"""
FIND = """
SELECT s.shop_id, s.definition, s.reference, s.id
  FROM sagas_saga s JOIN unnest(%s::uuid[], %s::text[], %s::text[]) AS w (shop_id, definition, reference)
    USING (shop_id, definition, reference)
"""


@dataclass(frozen=True, kw_only=True)
class StartSaga:
    """One saga to start. `reference` is unique per shop and definition: starting it twice starts it once.

    `context` holds ids and amounts, never personal data. `label`, `amount_minor`, `currency` and `search_key`
    are what pages show. `id` may be chosen beforehand. In a choreography the caller has done the first step
    itself, in this transaction; its event is what the others go by.
    """

    definition: str
    reference: str
    shop_id: UUID
    subject_id: UUID
    label: str = ""
    amount_minor: int = 0
    currency: str = ""
    search_key: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    correlation_id: str = ""
    style: str = ORCHESTRATION
    id: UUID = field(default_factory=uuid7)

    @property
    def choreographed(self) -> bool:
        """Whether nobody leads it."""
        return self.style == CHOREOGRAPHY


def start_sagas(starts: Sequence[StartSaga], *, now: datetime) -> list[UUID]:
    """Start sagas in the caller's transaction; the ids of new and existing ones, in order. Rings after the commit."""
    if not starts:
        return []
    plans = {s.definition: _latest_plan(s.definition) for s in starts}
    for start in starts:
        _check_context(start, plans[start.definition])
    first = [row for start in starts for row in _first_steps(start, plans[start.definition], now)]
    new = {row[0] for row in rows(START, _params(starts, plans, now) | _steps(first))}
    for name in sorted({row.name for row in first if row.open and row.saga_id in new}):
        transaction.on_commit(partial(ring, name), robust=True)
    return [s.id for s in starts] if len(new) == len(starts) else _all_ids(starts)


def _latest_plan(name: str) -> Plan:
    definition = latest(name)
    found = plan(name, definition.version)
    if found is None:
        raise KeyError(name)
    return found


def _check_context(start: StartSaga, planned: Plan) -> None:
    missing = set(planned.definition.context) - set(start.context)
    if missing:
        raise ValueError(f"{start.definition} must be started with {sorted(missing)}.")
    if start.choreographed and not planned.definition.choreographable:
        raise ValueError(f"{start.definition} cannot go without a coordinator.")


def _params(starts: Sequence[StartSaga], plans: Mapping[str, Plan], now: datetime) -> dict[str, Any]:
    def deadline(start: StartSaga) -> timedelta | None:
        return PATIENCE if start.choreographed else plans[start.definition].definition.deadline

    same = ("id", "definition", "shop_id", "subject_id", "reference", "amount_minor", "currency",
            "correlation_id", "style")  # fmt: skip
    return {
        "now": now,
        **{name: [getattr(s, name) for s in starts] for name in same},
        "version": [plans[s.definition].definition.version for s in starts],
        "search_key": [s.search_key or s.reference for s in starts],
        "label": [s.label[:200] for s in starts],
        "context": [documents.encode(dict(s.context)) for s in starts],
        "deadline": [deadline(s) for s in starts],
        "state": [RUNNING if s.choreographed else PENDING for s in starts],
        "stage": [1 if s.choreographed else 0 for s in starts],
    }


def _steps(steps: Sequence[StepRow]) -> dict[str, Any]:
    names = ("id", "saga_id", "position", "name", "key", "state", "finished_at")
    return {f"step_{name}": [getattr(row, name) for row in steps] for name in names}


def first_rows(plan: Plan, saga: SagaRow, *, now: datetime) -> list[StepRow]:
    """The rows a saga begins with."""
    return [
        StepRow(
            uuid7(),
            saga.id,
            place.position,
            DO,
            place.spec.name,
            operation_key(saga.shop_id, saga.reference, place.spec.name),
            wake_at=now,
        )
        for place in plan.stages[0]
    ]


def _first_steps(start: StartSaga, planned: Plan, now: datetime) -> list[StepRow]:
    saga = SagaRow(
        start.id, start.definition, planned.definition.version, start.shop_id, start.subject_id, start.reference,
        "", 0, "", {}, "",
    )  # fmt: skip
    return [_first(row, start, now) for row in first_rows(planned, saga, now=now)]


def _first(row: StepRow, start: StartSaga, now: datetime) -> StepRow:
    if start.choreographed:
        row.state, row.finished_at = DONE, now
    return row


def _all_ids(starts: Sequence[StartSaga]) -> list[UUID]:
    wanted = [[s.shop_id for s in starts], [s.definition for s in starts], [s.reference for s in starts]]
    found = {(shop, definition, ref): id_ for shop, definition, ref, id_ in rows(FIND, wanted)}
    return [found[s.shop_id, s.definition, s.reference] for s in starts]
