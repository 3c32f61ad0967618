"""Claiming and settling messages: set-based statements, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sagas.inbox.reader import Fate, Incoming
from sagas.sql import execute, rows

#: So long a message is its reader's own; a reader that died lets it go by that.
LEASE = timedelta(seconds=60)

CLAIM = """
WITH due AS (
  SELECT id FROM sagas_incomingwebhook
   WHERE source = ANY(%s::text[]) AND settled_at IS NULL AND wake_at <= waybill_now()
   ORDER BY wake_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE sagas_incomingwebhook w SET attempts = w.attempts + 1, wake_at = waybill_now() + %s::interval
  FROM due WHERE w.id = due.id
RETURNING waybill_now(), w.id, w.source, w.event_id, w.type, w.object_id, w.meaning, w.body, w.occurred_at,
          w.expires_at, w.attempts
"""
#: An elder twin says the same of the same object: it is read in place of this one, or was.
TWINS = """
SELECT w.id FROM sagas_incomingwebhook w
 WHERE w.id = ANY(%s::uuid[])
   AND EXISTS (SELECT FROM sagas_incomingwebhook e
                WHERE e.object_id = w.object_id AND e.meaning = w.meaning AND e.source = w.source
                  AND e.id < w.id AND e.state <> 'expired')
"""
#: Only while nobody has read it since.
SETTLE = """
UPDATE sagas_incomingwebhook w
   SET state = u.state, code = u.code, wake_at = u.wake_at, settled_at = u.settled_at
  FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS u (id, attempts, state, code, wake_at, settled_at)
 WHERE w.id = u.id AND w.attempts = u.attempts AND w.settled_at IS NULL
RETURNING w.id
"""
WAKE_UNMATCHED = """
UPDATE sagas_incomingwebhook SET wake_at = %s
 WHERE state = 'unmatched' AND object_id = ANY(%s::text[]) RETURNING source
"""
DUE = """
SELECT n.name, extract(epoch FROM waybill_now() - d.wake_at)::float8
  FROM unnest(%s::text[]) AS n (name)
  CROSS JOIN LATERAL (
    SELECT wake_at FROM sagas_incomingwebhook w
     WHERE w.source = n.name AND w.settled_at IS NULL AND w.wake_at <= waybill_now()
     ORDER BY w.wake_at LIMIT 1) d
"""

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(hours=1)
#: So long an object may still come, or a provider be reached.
PATIENCE = timedelta(days=3)


def claim(sources: Sequence[str], *, limit: int) -> tuple[datetime | None, list[Incoming]]:
    """Take due messages for one reading; others pass over them. The database's clock, None when nothing is due."""
    found = rows(CLAIM, [list(sources), limit, LEASE])
    messages = sorted((Incoming(*row[1:]) for row in found), key=lambda m: m.id)
    return (found[0][0] if found else None), messages


def twins(messages: Iterable[Incoming]) -> set[UUID]:
    """Those whose fact is told by an elder message already."""
    return {ident for (ident,) in rows(TWINS, [[m.id for m in messages]])}


def settle(fates: Sequence[tuple[Incoming, Fate]], *, now: datetime) -> list[tuple[Incoming, str]]:
    """Write what became of messages, and tell those that were still ours. Fenced by the count of readings."""
    told = [(message, *_written(message, fate, now)) for message, fate in fates]
    columns = [[m.id for m, *_ in told], [m.attempts for m, *_ in told]]
    columns += [[row[n] for row in told] for n in range(1, 5)]
    ours = {ident for (ident,) in rows(SETTLE, columns)} if told else set()
    return [(message, state) for message, state, *_ in told if message.id in ours]


def wake_unmatched(object_ids: Collection[str], *, now: datetime) -> set[str]:
    """Have messages that waited for these objects read now; the sources they came from. Cheap when there are none."""
    return {source for (source,) in rows(WAKE_UNMATCHED, [now, list(object_ids)])} if object_ids else set()


def overdue(sources: Sequence[str]) -> dict[str, float]:
    """For how many seconds the most overdue message of each source has waited. Without one it is left out."""
    return dict(rows(DUE, [list(sources)]))


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many readings: 1 s, doubled up to an hour."""
    doubled: timedelta = FIRST_WAIT * 2 ** min(attempts - 1, 12)
    return min(doubled, LONGEST_WAIT)


def _written(
    message: Incoming, fate: Fate, now: datetime
) -> tuple[str, str, datetime | None, datetime | None]:
    if fate.state in ("applied", "ignored"):
        return fate.state, fate.code[:100], None, now
    if now >= message.expires_at:
        return "expired", fate.code[:100], None, now
    return fate.state, fate.code[:100], now + wait_after(message.attempts), None


# --- keeping house -----------------------------------------------------------------------------------------

EMPTY_OLD = """
UPDATE sagas_incomingwebhook SET body = '', headers = '{}' WHERE id IN (
  SELECT id FROM sagas_incomingwebhook WHERE settled_at < %s AND body <> '' ORDER BY settled_at LIMIT %s)
"""
DELETE_OLD = """
DELETE FROM sagas_incomingwebhook WHERE id IN (
  SELECT id FROM sagas_incomingwebhook WHERE settled_at < %s ORDER BY settled_at LIMIT %s)
"""


def empty_bodies(before: datetime, *, limit: int) -> int:
    """Empty the bodies of messages that were settled before then: what is left names nobody."""
    return execute(EMPTY_OLD, [before, limit])


def delete_settled(before: datetime, *, limit: int) -> int:
    """Delete messages that were settled before then."""
    return execute(DELETE_OLD, [before, limit])


READ_AGAIN = """
UPDATE sagas_incomingwebhook
   SET state = CASE WHEN settled_at IS NULL THEN state ELSE 'received' END, code = '', wake_at = %s, expires_at = %s,
       settled_at = NULL
 WHERE id = ANY(%s::uuid[]) AND body <> ''
RETURNING source
"""


def read_again(ids: Sequence[UUID], *, now: datetime) -> list[str]:
    """Have messages read once more: ended ones from the start, waiting ones at once. The source of each.

    One whose body is gone stays as it is. `attempts` goes on counting, so an old reading cannot settle it.
    """
    return [source for (source,) in rows(READ_AGAIN, [now, now + PATIENCE, list(ids)])]
