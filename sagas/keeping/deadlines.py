"""Deadlines: sagas that took too long on the way to their pivot are turned back; silent choreographies are parked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction

from sagas import bell, feed
from sagas.bus import Subscription, subscriptions
from sagas.definition import Plan, plan
from sagas.engine import store
from sagas.engine.batch import RNG, commit
from sagas.engine.cases import open_case
from sagas.engine.part import Part
from sagas.engine.rows import FINAL, PAUSED, Change, SagaRow, StepRow
from sagas.log import Token
from sagas.loops import keeper
from sagas.sql import rows

LIMIT = 200
#: An event that waits so long for its reader is lag; under load there is always one that has just been told.
LAG = timedelta(minutes=1)

LATE = """
SELECT deadline_at, id FROM sagas_saga
 WHERE finished_at IS NULL AND deadline_at <= waybill_now() AND hold <> 'paused' AND (deadline_at, id) > (%s, %s)
 ORDER BY deadline_at, id LIMIT %s
"""
POSITIONS = "SELECT subscription, shard, era, xid, position FROM sagas_checkpoint"
#: Before every deadline.
BEGINNING = (datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))


@keeper("sagas.deadlines", every=1.0)
def deadlines(*, now: datetime) -> int:
    """Turn back what is late; behind the pivot the deadline means nothing any more.

    Those whose pivot is out are passed over, however many, so that they hold up nobody. So are silent choreographies
    as long as readers lag: what was told of them may only not have been heard yet.
    """
    del now
    after: tuple[datetime, UUID] = BEGINNING
    while late := rows(LATE, [*after, LIMIT]):
        if count := _turn_back([id_ for _, id_ in late]):
            return count
        after = late[-1]
    return 0


def _turn_back(ids: list[UUID]) -> int:
    with transaction.atomic():
        at, sagas = store.lock_sagas(ids, skip_locked=True)
        if at is None:
            return 0
        known = store.steps_of(sagas)
        patient = any(saga.choreographed for saga in sagas.values()) and readers_lag(at)
        late = [s for s in sagas.values() if not (patient and s.choreographed)]
        changes = [c for s in late if (c := _late(s, known.get(s.id, []), at))]
        due = commit(changes, sagas, now=at).due
    for name in sorted(due):
        bell.ring(name)
    return len(changes)


def readers_lag(now: datetime) -> bool:
    """Whether events have waited for long for a reader that takes part in choreographies."""
    at = {(name, shard): Token(e, x, p) for name, shard, e, x, p in rows(POSITIONS)}
    readers = [(sub, shard) for sub in subscriptions() if sub.part for shard in range(sub.shards)]
    return any(_lags(sub, shard, at.get((sub.name, shard), Token(0, 0, 0)), now) for sub, shard in readers)


def _lags(sub: Subscription, shard: int, token: Token, now: datetime) -> bool:
    waiting, _, whole = feed.first(token, sub.types, shards=sub.shards, shard=shard, unled=sub.unled)
    return not whole if waiting is None else now - waiting.at > LAG


def _late(saga: SagaRow, steps: list[StepRow], now: datetime) -> Change | None:
    return turn_back_late(saga, steps, now=now, planned=plan(saga.definition, saga.version))


def turn_back_late(
    saga: SagaRow, steps: list[StepRow], *, now: datetime, planned: Plan | None
) -> Change | None:
    """What a passed deadline does to one saga. None while the pivot is out there: its outcome decides."""
    passed = saga.deadline_at is not None and saga.deadline_at <= now
    if planned is None or not passed or saga.hold == PAUSED or saga.state in FINAL:
        return None  # it may have moved since it was found
    case = open_case(planned, saga, steps, now=now, rng=RNG)
    if isinstance(case, Part):
        case.pass_silence()
    elif case.can_turn_back:
        case.turn_back("deadline", "deadline_passed", _where(steps))
    elif case.pivot_in_flight:
        return None
    else:
        case.saga.deadline_at = None
    return case.change()


def _where(steps: list[StepRow]) -> str:
    return next((r.name for r in steps if r.open), "")
