"""Loading and storing the engine's rows: a handful of set-based statements per batch, whatever its size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sagas import documents
from sagas.engine.rows import Change, SagaRow, StepRow
from sagas.sql import execute, rows

# In the order of the fields of SagaRow and StepRow: rows are built by position.
SAGA_COLUMNS = (
    "id", "definition", "version", "shop_id", "subject_id", "reference", "search_key", "amount_minor", "currency",
    "context", "correlation_id", "state", "hold", "hold_reason", "hold_owner", "hold_since", "stage", "epoch",
    "cause", "cause_code", "cause_step", "deadline_at", "moved_at", "finished_at", "style",
)  # fmt: skip
STEP_COLUMNS = (
    "id", "saga_id", "position", "direction", "name", "key", "state", "epoch", "attempt", "tries", "intent_number",
    "verdict", "code", "detail", "memo", "result", "history", "wake_at", "lease_until", "worker", "began_at",
    "finished_at",
)  # fmt: skip
# Most documents are empty, and not worth being sent and read.
EMPTY: dict[str, type[dict[Any, Any] | list[Any]]] = {
    "context": dict,
    "memo": dict,
    "result": dict,
    "history": list,
}
_WRITTEN: dict[Any, str] = {dict: "{}", list: "[]"}


def _selected(table: str, columns: Sequence[str]) -> str:
    return ", ".join(
        f"nullif({table}.{c}, '{_WRITTEN[EMPTY[c]]}')" if c in EMPTY else f"{table}.{c}" for c in columns
    )


_S = _selected("s", SAGA_COLUMNS)
_T = _selected("t", STEP_COLUMNS)

# A saga with an intent nobody has looked at yet is not claimed: the intent goes first.
CLAIM = f"""
SELECT waybill_now(), {_T}, {_S}
  FROM sagas_step t JOIN sagas_saga s ON s.id = t.saga_id
 WHERE t.finished_at IS NULL AND t.name = %(name)s AND t.wake_at <= waybill_now()
   AND s.hold IN ('none', 'waiting')
   AND NOT EXISTS (SELECT FROM sagas_intent i WHERE i.saga_id = s.id AND i.state = 'new')
   AND NOT EXISTS (SELECT FROM sagas_pause p
                    WHERE (p.scope, p.name) IN (('step', %(name)s), ('provider', %(provider)s)))
   /* only */
 ORDER BY t.wake_at LIMIT %(limit)s
   FOR NO KEY UPDATE OF t, s SKIP LOCKED
"""
CLAIM_ANY = CLAIM.replace("/* only */", "")
CLAIM_THESE = CLAIM.replace("/* only */", "AND t.id = ANY(%(ids)s::uuid[])")

WAITS = """
SELECT 1 FROM sagas_step WHERE finished_at IS NULL AND name = %s AND wake_at <= waybill_now() LIMIT 1
"""

LOCK_SAGAS = f"""
SELECT waybill_now(), {_S} FROM sagas_saga s WHERE s.id = ANY(%s::uuid[]) ORDER BY s.id FOR NO KEY UPDATE
"""
LOCK_SAGAS_FREE = LOCK_SAGAS.rstrip() + " SKIP LOCKED"
LOCK_CHOREOGRAPHED = f"""
SELECT waybill_now(), {_S} FROM sagas_saga s
 WHERE s.subject_id = ANY(%s::uuid[]) AND s.style = 'choreography' /* only */ ORDER BY s.id FOR NO KEY UPDATE
"""
LOCK_OPEN = LOCK_CHOREOGRAPHED.replace("/* only */", "AND s.finished_at IS NULL")
STEPS_OF = f"SELECT {_T} FROM sagas_step t WHERE t.saga_id = ANY(%s::uuid[])"

STEPS_NAMED = STEPS_OF + " AND t.name = ANY(%s::text[])"

STEPS = f"SELECT {_T} FROM sagas_step t WHERE t.id = ANY(%s::uuid[])"

LEASE = """
UPDATE sagas_step t
   SET attempt = u.attempt, epoch = u.epoch, verdict = u.verdict, wake_at = u.until, lease_until = u.until,
       worker = %s, began_at = coalesce(t.began_at, %s)
  FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::text[], %s::timestamptz[])
    AS u (id, attempt, epoch, verdict, until)
 WHERE t.id = u.id
"""
RUN = "UPDATE sagas_saga SET state = 'running', moved_at = %s WHERE id = ANY(%s::uuid[])"

UPDATE_STEPS = """
UPDATE sagas_step t
   SET state = u.state, epoch = u.epoch, attempt = u.attempt, tries = u.tries, intent_number = u.intent_number,
       key = u.key, verdict = u.verdict, code = u.code, detail = u.detail, memo = u.memo, result = u.result,
       history = u.history, wake_at = u.wake_at, lease_until = u.lease_until, worker = u.worker,
       began_at = u.began_at, finished_at = u.finished_at
  FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::int[], %s::int[], %s::smallint[], %s::uuid[], %s::text[],
              %s::text[], %s::text[], %s::jsonb[], %s::jsonb[], %s::jsonb[], %s::timestamptz[], %s::timestamptz[],
              %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS u (id, state, epoch, attempt, tries, intent_number, key, verdict, code, detail, memo, result, history,
          wake_at, lease_until, worker, began_at, finished_at)
 WHERE t.id = u.id
"""
_UPDATED = (
    "id", "state", "epoch", "attempt", "tries", "intent_number", "key", "verdict", "code", "detail", "memo",
    "result", "history", "wake_at", "lease_until", "worker", "began_at", "finished_at",
)  # fmt: skip

INSERT_STEPS = """
INSERT INTO sagas_step (id, saga_id, position, direction, name, state, epoch, attempt, tries, intent_number, key,
       verdict, code, detail, memo, result, history, wake_at, finished_at, worker)
SELECT u.id, u.saga_id, u.position, u.direction, u.name, u.state, u.epoch, 0, 0, 1, u.key, '', u.code, '', '{}',
       '{}', '[]', u.wake_at, u.finished_at, ''
  FROM unnest(%s::uuid[], %s::uuid[], %s::smallint[], %s::text[], %s::text[], %s::text[], %s::int[], %s::uuid[],
              %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS u (id, saga_id, position, direction, name, state, epoch, key, code, wake_at, finished_at)
"""

_CREATED = (
    "id", "saga_id", "position", "direction", "name", "state", "epoch", "key", "code", "wake_at", "finished_at",
)  # fmt: skip

UPDATE_SAGAS = """
UPDATE sagas_saga s
   SET state = u.state, hold = u.hold, hold_reason = u.hold_reason, hold_owner = u.hold_owner,
       hold_since = u.hold_since, stage = u.stage, epoch = u.epoch, context = u.context, cause = u.cause,
       cause_code = u.cause_code, cause_step = u.cause_step, deadline_at = u.deadline_at, moved_at = u.moved_at,
       finished_at = u.finished_at
  FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::smallint[],
              %s::int[], %s::jsonb[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[],
              %s::timestamptz[])
    AS u (id, state, hold, hold_reason, hold_owner, hold_since, stage, epoch, context, cause, cause_code, cause_step,
          deadline_at, moved_at, finished_at)
 WHERE s.id = u.id
"""
_SAGA_UPDATED = (
    "id", "state", "hold", "hold_reason", "hold_owner", "hold_since", "stage", "epoch", "context", "cause",
    "cause_code", "cause_step", "deadline_at", "moved_at", "finished_at",
)  # fmt: skip

REVISIT = (
    "UPDATE sagas_intent SET state = 'new' WHERE state = 'deferred' AND saga_id = ANY(%s::uuid[]) RETURNING 1"
)
GATE = """
SELECT ARRAY(SELECT name FROM sagas_pause WHERE scope = 'step'),
       ARRAY(SELECT saga_id FROM sagas_intent WHERE state = 'new' AND saga_id = ANY(%(sagas)s::uuid[])),
       EXISTS (SELECT FROM sagas_intent WHERE state = 'deferred' AND saga_id = ANY(%(sagas)s::uuid[]))
"""

_SAGA_AT = 1 + len(STEP_COLUMNS)
_SAGA_JSON = [(n, EMPTY[name]) for n, name in enumerate(SAGA_COLUMNS) if name in EMPTY]
_STEP_JSON = [(n, EMPTY[name]) for n, name in enumerate(STEP_COLUMNS) if name in EMPTY]


# A step forward as it mostly goes. Whatever else a row holds stays as it is.
_STEP = """
INSERT INTO sagas_step (id, saga_id, position, direction, name, key, epoch, state, attempt, verdict, result, history,
       wake_at, began_at, finished_at, tries, intent_number, code, detail, memo, worker)
"""
_FRESH_ROWS = """
SELECT u.id, u.saga_id, u.position, 'do', u.name, u.key, u.epoch, 'due', 0, '', '{}'::jsonb, '[]'::jsonb, %(now)s,
       NULL::timestamptz, NULL::timestamptz, 0, 1, '', '', '{}'::jsonb, ''
  FROM unnest(%(fresh_id)s::uuid[], %(fresh_saga_id)s::uuid[], %(fresh_position)s::smallint[],
              %(fresh_name)s::text[], %(fresh_key)s::uuid[], %(fresh_epoch)s::int[])
    AS u (id, saga_id, position, name, key, epoch)
"""
_RAN_ROWS = """
SELECT u.id, u.saga_id, u.position, 'do', u.name, u.key, u.epoch, 'done', u.attempt, 'done', u.result, u.history,
       NULL, %(now)s, %(now)s, 0, 1, '', '', '{}'::jsonb, ''
  FROM unnest(%(ran_id)s::uuid[], %(ran_saga_id)s::uuid[], %(ran_position)s::smallint[], %(ran_name)s::text[],
              %(ran_key)s::uuid[], %(ran_epoch)s::int[], %(ran_attempt)s::int[], %(ran_result)s::jsonb[],
              %(ran_history)s::jsonb[])
    AS u (id, saga_id, position, name, key, epoch, attempt, result, history)
"""
_MOVE_ON = """
WITH ended AS (
  UPDATE sagas_step t
     SET state = 'done', verdict = 'done', code = '', detail = '', epoch = u.epoch, attempt = u.attempt,
         result = u.result, history = u.history, wake_at = NULL, lease_until = NULL, worker = '',
         began_at = coalesce(t.began_at, %(now)s), finished_at = %(now)s
    FROM unnest(%(ended_id)s::uuid[], %(ended_epoch)s::int[], %(ended_attempt)s::int[], %(ended_result)s::jsonb[],
                %(ended_history)s::jsonb[])
      AS u (id, epoch, attempt, result, history)
   WHERE t.id = u.id
), moved AS (
  UPDATE sagas_saga s
     SET state = u.state, stage = u.stage, context = u.context, moved_at = %(now)s,
         deadline_at = u.deadline_at, finished_at = u.finished_at
    FROM unnest(%(saga_id)s::uuid[], %(saga_state)s::text[], %(saga_stage)s::smallint[], %(saga_context)s::jsonb[],
                %(saga_deadline_at)s::timestamptz[], %(saga_finished_at)s::timestamptz[])
      AS u (id, state, stage, context, deadline_at, finished_at)
   WHERE s.id = u.id
)
"""
ADVANCE = _MOVE_ON + _STEP + _FRESH_ROWS
ADVANCE_FAR = _MOVE_ON + _STEP + _FRESH_ROWS + "UNION ALL" + _RAN_ROWS

_ENDED = ("id", "epoch", "attempt", "result", "history")
_MOVED = ("id", "state", "stage", "context", "deadline_at", "finished_at")
_FRESH = ("id", "saga_id", "position", "name", "key", "epoch")
_RAN = (*_FRESH, "attempt", "result", "history")


def claim(
    name: str, provider: str, *, limit: int, ids: Sequence[UUID] | None = None
) -> tuple[datetime | None, list[tuple[StepRow, SagaRow]]]:
    """Lock what is due at a step, and its sagas. Rows that others hold are passed over.

    Must run in a transaction. The first value is the database's clock, or None when nothing is due.
    """
    params: dict[str, Any] = {"name": name, "provider": provider, "limit": limit}
    if ids is not None:
        params["ids"] = list(ids)
    found = rows(CLAIM_ANY if ids is None else CLAIM_THESE, params)
    pairs = [(_step(row[1:_SAGA_AT]), _saga(row[_SAGA_AT:])) for row in found]
    return (found[0][0] if found else None), pairs


def waits(name: str) -> bool:
    """Whether anything is due at a step, whoever may hold it."""
    return bool(rows(WAITS, [name]))


def lock_sagas(
    ids: Iterable[UUID], *, skip_locked: bool = False
) -> tuple[datetime | None, dict[UUID, SagaRow]]:
    """Lock sagas in id order; the database's clock and the rows."""
    found = rows(LOCK_SAGAS_FREE if skip_locked else LOCK_SAGAS, [list(set(ids))])
    return (found[0][0] if found else None), {row[1]: _saga(row[1:]) for row in found}


def lock_choreographed(
    subjects: Iterable[UUID], *, open_only: bool = False
) -> tuple[datetime | None, dict[UUID, SagaRow]]:
    """Lock the choreographed sagas of these subjects in id order; the database's clock and the rows."""
    found = rows(LOCK_OPEN if open_only else LOCK_CHOREOGRAPHED, [list(set(subjects))])
    return (found[0][0] if found else None), {row[1]: _saga(row[1:]) for row in found}


def steps_of(ids: Iterable[UUID]) -> dict[UUID, list[StepRow]]:
    """All step rows of sagas that are locked already."""
    found: dict[UUID, list[StepRow]] = {}
    wanted = list(set(ids))
    for row in rows(STEPS_OF, [wanted]) if wanted else ():
        step = _step(row)
        found.setdefault(step.saga_id, []).append(step)
    return found


def steps_named(ids: Iterable[UUID], names: Iterable[str]) -> dict[UUID, list[StepRow]]:
    """Those step rows of locked sagas that have these names, where the others do not matter."""
    found: dict[UUID, list[StepRow]] = {}
    wanted = list(ids)
    for row in rows(STEPS_NAMED, [wanted, list(names)]) if wanted else ():
        step = _step(row)
        found.setdefault(step.saga_id, []).append(step)
    return found


def steps(ids: Sequence[UUID]) -> dict[UUID, StepRow]:
    """Step rows by id; their sagas are locked already."""
    return {row[0]: _step(row) for row in rows(STEPS, [list(ids)])}


def lease(steps: Sequence[StepRow], *, now: datetime, worker: str) -> None:
    """Write the claim of an external batch: attempt, epoch, and until when it is ours."""
    if steps:
        columns = [
            [getattr(s, c) for s in steps] for c in ("id", "attempt", "epoch", "verdict", "lease_until")
        ]
        execute(LEASE, [worker, now, *columns])


def mark_running(ids: Sequence[UUID], *, now: datetime) -> None:
    """Sagas whose first step was claimed."""
    if ids:
        execute(RUN, [now, list(ids)])


def save(changes: Sequence[Change]) -> None:
    """Write what the rules decided: at most three statements."""
    updated = [r for c in changes for r in c.updated]
    created = [r for c in changes for r in c.created]
    sagas = [c.saga for c in changes if c.saga_changed]
    if updated:
        execute(UPDATE_STEPS, _columns(updated, _UPDATED))
    if created:
        execute(INSERT_STEPS, _columns(created, _CREATED))
    if sagas:
        execute(UPDATE_SAGAS, _columns(sagas, _SAGA_UPDATED))


def advance(changes: Sequence[Change], *, now: datetime) -> None:
    """Write plain steps forward: rows that ended, where their sagas stand, and the rows that follow. One statement.

    Rows that follow may have run already; every row that ended here did so at `now` with the verdict done.
    """
    ended = [r for c in changes for r in c.updated]
    fresh = [r for c in changes for r in c.created if r.open]
    ran = [r for c in changes for r in c.created if not r.open]
    sagas = [c.saga for c in changes]
    params = {"now": now, **_named("ended", ended, _ENDED), **_named("saga", sagas, _MOVED)}
    params |= _named("fresh", fresh, _FRESH)
    if ran:
        execute(ADVANCE_FAR, params | _named("ran", ran, _RAN))
    else:
        execute(ADVANCE, params)


def _named(kind: str, items: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
    return {f"{kind}_{n}": column for n, column in zip(names, _columns(items, names), strict=True)}


@dataclass(frozen=True)
class Gate:
    """What keeps locked sagas from going on: steps that a person has stopped, and intents not yet looked at."""

    stopped: frozenset[str]
    asked: frozenset[UUID]
    deferred: bool  #: Whether an intent waits for what they come to. None can join while they are locked.


def gate(saga_ids: Sequence[UUID]) -> Gate:
    """Look at what keeps these locked sagas from going on."""
    ((stopped, asked, deferred),) = rows(GATE, {"sagas": list(saga_ids)})
    return Gate(frozenset(stopped), frozenset(asked), deferred)


def revisit_intents(saga_ids: Sequence[UUID]) -> bool:
    """Put deferred intents of these sagas up for another look. Whether there were any."""
    return bool(saga_ids) and bool(rows(REVISIT, [list(saga_ids)]))


def _columns(items: Sequence[Any], names: Sequence[str]) -> list[list[Any]]:
    return [
        [documents.encode(getattr(i, n)) for i in items] if n in EMPTY else [getattr(i, n) for i in items]
        for n in names
    ]


def _step(row: Sequence[Any]) -> StepRow:
    return StepRow(*_values(row, _STEP_JSON))


def _saga(row: Sequence[Any]) -> SagaRow:
    return SagaRow(*_values(row, _SAGA_JSON))


def _values(row: Sequence[Any], texts: Sequence[tuple[int, type]]) -> list[Any]:
    """The row with its documents decoded: Django leaves jsonb as text on raw cursors."""
    values = list(row)
    for n, empty in texts:
        text = values[n]
        values[n] = empty() if text is None else documents.decode(text)
    return values
