"""Taking up what was asked of sagas: in order, a bounded batch per transaction, one event per act of a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sentry_sdk
import structlog
from django.db import OperationalError, transaction

from sagas import bell, documents, log
from sagas.contract import OperatorActed
from sagas.definition import SagaNote, plan
from sagas.engine import asked as rules
from sagas.engine import store
from sagas.engine.batch import RNG, Batch, commit, in_halves, note
from sagas.engine.by_hand import let_go
from sagas.engine.cases import open_case
from sagas.engine.core import Case
from sagas.engine.rows import SagaRow, StepRow
from sagas.ids import uuid7
from sagas.quoting import words_of
from sagas.sql import execute, rows
from sagas.verdicts import ConcurrencyConflict, Unavailable

logger = structlog.get_logger(__name__)

TASK = "sagas.apply_intents"
LIMIT = 200

WAITING_SAGAS = """
SELECT s.id FROM sagas_saga s
 WHERE s.id IN (SELECT i.saga_id FROM sagas_intent i WHERE i.state = 'new')
 ORDER BY s.id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""
NEW = """
SELECT id, saga_id, kind, actor, reason, payload FROM sagas_intent
 WHERE state = 'new' AND saga_id = ANY(%s::uuid[]) ORDER BY made_at, id FOR NO KEY UPDATE
"""
INSERT = """
INSERT INTO sagas_intent (id, saga_id, kind, actor, reason, payload, state, answer, made_at)
SELECT u.id, u.saga_id, %s, %s, %s, %s::jsonb, 'new', '', %s FROM unnest(%s::uuid[], %s::uuid[]) AS u (id, saga_id)
"""
ANSWER = """
UPDATE sagas_intent i SET state = u.state, answer = u.answer, applied_at = %s
  FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS u (id, state, answer) WHERE i.id = u.id
"""


def cancel_sagas(saga_ids: Sequence[UUID], *, actor: str, reason: str, now: datetime) -> list[UUID]:
    """Ask sagas to give back what they did. Never waits behind a batch; safe to repeat. Ids of the intents."""
    return ask(saga_ids, "cancel", actor=actor, reason=reason, now=now)


def ask(
    saga_ids: Sequence[UUID],
    kind: str,
    *,
    actor: str,
    reason: str,
    now: datetime,
    payload: str = "{}",
) -> list[UUID]:
    """Insert intents in the caller's transaction and ring after its commit."""
    ids = [uuid7() for _ in saga_ids]
    if ids:
        execute(INSERT, [kind, actor[:100], reason[:500], payload, now, ids, list(saga_ids)])
        transaction.on_commit(lambda: bell.ring(TASK), robust=True)
    return ids


def take_up(*, limit: int = LIMIT) -> Batch:
    """Take up a batch of intents: of how many sagas, and the names of the steps that became due. Safe at any time.

    One that raises does not hold up the others: it is found, refused with `bug`, and reported.
    """
    waiting = [row[0] for row in rows(WAITING_SAGAS, [limit])]
    return in_halves(waiting, _take_up, _refuse)


def _take_up(saga_ids: Sequence[UUID]) -> Batch:
    with transaction.atomic():
        now, sagas = store.lock_sagas(saga_ids, skip_locked=True)
        return Batch(len(sagas), due=_apply(now, sagas)) if now is not None else Batch()


def _refuse(saga_id: UUID, error: Exception) -> Batch:
    """What was asked of this saga cannot be carried out by this code. What is lost or busy is looked at again."""
    if isinstance(error, (OperationalError, ConcurrencyConflict, Unavailable)):
        return Batch()
    sentry_sdk.capture_exception(error)
    logger.error("intent_failed", saga_id=str(saga_id), error=words_of(error))
    with transaction.atomic():
        now, sagas = store.lock_sagas([saga_id])
        taken = [_asked(row) for row in rows(NEW, [list(sagas)])]
        if now is not None and taken:
            _answer([(a, rules.Reply(rules.REFUSED, "bug")) for a in taken], now)
    return Batch(1)


def _answer(replies: Sequence[tuple[rules.Asked, rules.Reply]], now: datetime) -> None:
    params = [[a.id for a, _ in replies], [r.state for _, r in replies], [r.answer for _, r in replies]]
    execute(ANSWER, [now, *params])
    _write_events(replies, now)


def _apply(now: datetime, sagas: dict[UUID, SagaRow]) -> set[str]:
    known = store.steps_of(sagas)
    cases = {i: _case(s, known.get(i, []), now) for i, s in sagas.items()}
    taken = [_asked(row) for row in rows(NEW, [list(sagas)])]
    replies = [(a, _reply(cases[a.saga_id], a)) for a in taken]
    _answer(replies, now)
    changes = [case.change() for case in cases.values() if case is not None]
    batch = commit(changes, sagas, now=now)
    acted = [(a, r) for a, r in replies if r.state == rules.APPLIED and a.kind in rules.BY_HAND]
    ended = {i: case.saga for i, case in cases.items() if case is not None}
    let_go([(a, ended[a.saga_id]) for a, _ in acted], now=now)
    _late_cancels([(a, sagas[a.saga_id]) for a, r in replies if r.late], now)
    return batch.due


def _case(saga: SagaRow, steps: list[StepRow], now: datetime) -> Case | None:
    found = plan(saga.definition, saga.version)
    return open_case(found, saga, steps, now=now, rng=RNG) if found else None


def _reply(case: Case | None, asked: rules.Asked) -> rules.Reply:
    if case is None:
        return rules.Reply(rules.REFUSED, "unknown_definition")
    return rules.apply(case, asked)


def _asked(row: tuple[Any, ...]) -> rules.Asked:
    id_, saga_id, kind, actor, reason, payload = row
    return rules.Asked(id_, saga_id, kind, actor, reason, documents.decode(payload))


def _late_cancels(late: Sequence[tuple[rules.Asked, SagaRow]], now: datetime) -> None:
    """A cancel that lost against the pivot becomes what the definition says: a saga of its own."""
    groups: dict[tuple[str, int], list[SagaNote]] = {}
    for asked, saga in late:
        groups.setdefault((saga.definition, saga.version), []).append(note(saga, asked.reason, asked.actor))
    for key, notes in groups.items():
        found = plan(*key)
        if found is not None and found.definition.late_cancel is not None:
            found.definition.late_cancel(notes, now)


def _write_events(replies: Sequence[tuple[rules.Asked, rules.Reply]], now: datetime) -> None:
    """The audit trail: who asked what of which saga, why, and what became of it."""
    final = [(a, r) for a, r in replies if r.state != rules.DEFERRED]
    appends = [log.Append(a.saga_id, None, _acted(a, r), actor=a.actor, reason=a.reason) for a, r in final]
    log.publish(appends, now=now)


def _acted(asked: rules.Asked, reply: rules.Reply) -> OperatorActed:
    return OperatorActed(
        saga_id=asked.saga_id,
        act=asked.kind,
        target=str(asked.payload.get("step", "")),
        payload={"outcome": reply.state, "answer": reply.answer},
    )
