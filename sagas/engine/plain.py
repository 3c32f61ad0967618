"""The commonest answer: a step forward, alone in its stage, is done, and nothing stands in the saga's way.

Under load nearly every answer is this one. `forward` decides what the rules of `Case` decide, without opening the
case; a property compares the two. Pure, like the rules.
"""

from __future__ import annotations

from datetime import datetime

from sagas.definition import Plan
from sagas.engine.case import written
from sagas.engine.rows import (
    COMPLETED,
    DO,
    DONE,
    HISTORY,
    NONE,
    PENDING,
    RUNNING,
    Change,
    SagaRow,
    StepRow,
)
from sagas.ids import operation_key, uuid7
from sagas.verdicts import Done


def is_plain(plan: Plan, saga: SagaRow, row: StepRow, outcome: object) -> bool:
    """Whether `forward` may decide on this answer to a claim that is still its row's own."""
    if not isinstance(outcome, Done) or saga.hold != NONE or saga.state not in (PENDING, RUNNING):
        return False
    if row.direction != DO or saga.choreographed:
        return False
    stage = plan.stages[saga.stage]
    return len(stage) == 1 and stage[0].position == row.position


def forward(plan: Plan, saga: SagaRow, row: StepRow, outcome: Done, *, now: datetime) -> Change:
    """End the row and open the next stage, or complete the saga. The row itself is changed, the saga is copied."""
    _finish(row, outcome, now)
    after = saga.copy()
    after.state, after.moved_at, after.stage = RUNNING, now, saga.stage + 1
    if outcome.result:
        after.context = {**saga.context, **outcome.result}
    if after.stage < len(plan.stages):
        return Change(after, True, [row], _next(plan, after, now))
    after.state, after.finished_at, after.deadline_at = COMPLETED, now, None
    return Change(after, True, [row], [])


def _finish(row: StepRow, outcome: Done, now: datetime) -> None:
    entry = [written(now), row.attempt, Done.word, "", row.worker]
    row.history = [*row.history, entry][-HISTORY:]
    row.state, row.verdict, row.code, row.detail = DONE, Done.word, "", ""
    row.wake_at, row.lease_until, row.worker, row.finished_at = None, None, "", now
    if outcome.result:
        row.result = outcome.result


def _next(plan: Plan, saga: SagaRow, now: datetime) -> list[StepRow]:
    return [_row(saga, place.position, place.spec.name, now) for place in plan.stages[saga.stage]]


def _row(saga: SagaRow, position: int, name: str, now: datetime) -> StepRow:
    key = operation_key(saga.shop_id, saga.reference, name)
    row = StepRow(uuid7(), saga.id, position, DO, name, key, wake_at=now)
    row.epoch = saga.epoch
    return row
