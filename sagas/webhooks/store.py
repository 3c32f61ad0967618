"""Every statement of sending: who is due, claims, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sagas import documents
from sagas.log import COLUMNS, Recorded, recorded_all
from sagas.sql import execute, rows
from sagas.webhooks.rules import Circuit, Fate
from sagas.webhooks.signing import Secret

NOBODY = UUID(int=0)
#: So many endpoints with something open are looked at in one go.
LOOKED_AT = 200

# From endpoint to endpoint with one probe of the index each, whatever waits at them.
DUE = """
WITH RECURSIVE open (endpoint_id, n) AS (
  (SELECT endpoint_id, 1 FROM webhooks_delivery
    WHERE wake_at IS NOT NULL AND endpoint_id > %(after)s ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT (SELECT d.endpoint_id FROM webhooks_delivery d
           WHERE d.wake_at IS NOT NULL AND d.endpoint_id > o.endpoint_id ORDER BY d.endpoint_id LIMIT 1), o.n + 1
    FROM open o WHERE o.endpoint_id IS NOT NULL AND o.n < %(most)s
)
SELECT o.endpoint_id, d.wake_at FROM open o
  LEFT JOIN webhooks_endpoint p ON p.id = o.endpoint_id AND p.state = 'enabled'
   AND (p.rest_until IS NULL OR p.rest_until <= waybill_now())
  LEFT JOIN LATERAL (SELECT wake_at FROM webhooks_delivery d
     WHERE d.endpoint_id = p.id AND d.wake_at <= waybill_now() ORDER BY d.wake_at LIMIT 1) d ON true
 WHERE o.endpoint_id IS NOT NULL ORDER BY o.endpoint_id
"""
ENDPOINT = """
SELECT id, shop_id, url, secret_number, secret_key, previous_number, previous_key, previous_until, failures,
       failing_since, rest_until, state
  FROM webhooks_endpoint WHERE id = ANY(%s::uuid[])
"""
LOCK_FREE = f"""{ENDPOINT} AND state = 'enabled' AND (rest_until IS NULL OR rest_until <= waybill_now())
 ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""
LOCK = f"{ENDPOINT} ORDER BY id FOR NO KEY UPDATE"
# A statement of its own, after the endpoints are locked: it must see what others have claimed there meanwhile.
CLAIM = """
WITH room AS MATERIALIZED (
  SELECT w.id, w.most - (SELECT count(*) FROM webhooks_delivery s
                          WHERE s.endpoint_id = w.id AND s.state = 'sending' AND s.wake_at > %(now)s) AS free
    FROM unnest(%(endpoints)s::uuid[], %(most)s::int[]) AS w (id, most)
), due AS MATERIALIZED (
  SELECT d.id FROM room r CROSS JOIN LATERAL (
    SELECT id FROM webhooks_delivery WHERE endpoint_id = r.id AND wake_at <= %(now)s
     ORDER BY wake_at, id LIMIT greatest(r.free, 0) FOR UPDATE SKIP LOCKED) d
)
UPDATE webhooks_delivery d SET state = 'sending', attempt = attempt + 1, wake_at = %(until)s
  FROM due WHERE d.id = due.id
RETURNING d.id, d.endpoint_id, d.stream, d.version, d.attempt, d.failed, d.type
"""
EVENTS = f"""
SELECT {COLUMNS} FROM unnest(%s::uuid[], %s::int[]) AS w (stream, version) JOIN sagas_event USING (stream, version)
"""  # noqa: S608 - constants
LOCK_CLAIMED = """
SELECT d.id, d.endpoint_id, d.stream, d.version, d.attempt, d.failed, d.type, d.history
  FROM unnest(%s::uuid[], %s::int[]) AS w (id, attempt) JOIN webhooks_delivery d USING (id, attempt)
 WHERE d.state = 'sending' ORDER BY d.id FOR NO KEY UPDATE OF d
"""
RECORD = """
UPDATE webhooks_delivery d
   SET state = u.state, failed = u.failed, wake_at = u.wake_at, outcome = u.outcome, status = u.status,
       history = u.history, finished_at = CASE WHEN u.wake_at IS NULL THEN %s::timestamptz END
  FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::timestamptz[], %s::text[], %s::int[],
              string_to_array(%s, E'\\x1e')::jsonb[])
    AS u (id, state, failed, wake_at, outcome, status, history)
 WHERE d.id = u.id
"""
CIRCUITS = """
UPDATE webhooks_endpoint p SET failures = u.failures, failing_since = u.failing_since, rest_until = u.rest_until
  FROM unnest(%s::uuid[], %s::int[], %s::timestamptz[], %s::timestamptz[])
    AS u (id, failures, failing_since, rest_until)
 WHERE p.id = u.id
"""


@dataclass(frozen=True)
class EndpointRow:
    """What sending needs to know of an endpoint."""

    id: UUID
    shop_id: UUID
    url: str
    secret: Secret
    previous: Secret | None
    previous_until: datetime | None
    circuit: Circuit
    enabled: bool

    def secrets(self, now: datetime) -> list[Secret]:
        """By which to sign: the present one, and the one before as long as it is valid."""
        if self.previous is None or self.previous_until is None or self.previous_until <= now:
            return [self.secret]
        return [self.secret, self.previous]


@dataclass(frozen=True)
class Claimed:
    """A delivery that is on its way, under this attempt."""

    id: UUID
    endpoint_id: UUID
    stream: UUID
    version: int
    attempt: int
    failed: int
    type: str


def next_due(after: UUID = NOBODY) -> list[tuple[UUID, datetime]]:
    """Some endpoints that are not resting and have something due, with the time since when.

    The next ones behind `after`, and round from the beginning if there are none. Empty: there are none at all.
    """
    for start in dict.fromkeys((after, NOBODY)):
        place: UUID | None = start
        while place is not None:
            due, place = _look(place)
            if due:
                return due
    return []


def _look(after: UUID) -> tuple[list[tuple[UUID, datetime]], UUID | None]:
    """Who of the next endpoints with something open is due, and behind whom to go on, if there are more."""
    found = rows(DUE, {"after": after, "most": LOOKED_AT})
    due = [(endpoint_id, since) for endpoint_id, since in found if since is not None]
    return due, found[-1][0] if len(found) == LOOKED_AT else None


def lock_free(ids: Sequence[UUID]) -> list[EndpointRow]:
    """Lock endpoints that may be called; those that others are at are left out."""
    return [_endpoint(row) for row in rows(LOCK_FREE, [list(ids)])]


def lock(ids: Sequence[UUID]) -> dict[UUID, EndpointRow]:
    """Lock endpoints, waiting for whoever is at them. The order keeps two from waiting for each other."""
    return {row[0]: _endpoint(row) for row in rows(LOCK, [sorted(ids)])}


def claim(endpoints: Sequence[tuple[UUID, int]], *, now: datetime, lease_seconds: float) -> list[Claimed]:
    """Take what is due at endpoints that are locked, at most so many calls at once for each, oldest first."""
    found = rows(
        CLAIM,
        {
            "now": now, "until": now + timedelta(seconds=lease_seconds),
            "endpoints": [id_ for id_, _ in endpoints], "most": [most for _, most in endpoints],
        },
    )  # fmt: skip
    return sorted((Claimed(*row) for row in found), key=lambda claimed: claimed.id)


def events_of(claimed: Sequence[Claimed]) -> dict[tuple[UUID, int], tuple[Any, ...]]:
    """The rows of the log behind deliveries. They are read one by one: one that this code cannot read is alone."""
    found = rows(EVENTS, [[c.stream for c in claimed], [c.version for c in claimed]])
    return {(row[3], row[4]): row for row in found}


def read_event(row: tuple[Any, ...]) -> Recorded:
    """The event in a row of the log. Raises whatever an event raises that this code cannot read."""
    return recorded_all([row])[0]


def lock_claimed(claims: Sequence[Claimed]) -> dict[UUID, tuple[Claimed, list[dict[str, Any]]]]:
    """The claims nobody has taken over, each with the history of its delivery."""
    found = rows(LOCK_CLAIMED, [[c.id for c in claims], [c.attempt for c in claims]])
    return {row[0]: (Claimed(*row[:-1]), documents.decode(row[-1])) for row in found}


@dataclass(frozen=True)
class Written:
    """What is to be written of one delivery."""

    id: UUID
    fate: Fate
    outcome: str
    status: int | None
    history: list[dict[str, Any]]


def record(written: Sequence[Written], *, now: datetime) -> None:
    """Write what became of deliveries, in one statement."""
    params: list[Any] = [now, [w.id for w in written], [w.fate.state.value for w in written]]
    params += [[w.fate.failed for w in written], [w.fate.wake_at for w in written]]
    params += [[w.outcome for w in written], [w.status for w in written]]
    execute(RECORD, [*params, "\x1e".join(documents.encode(w.history) for w in written)])


def write_circuits(circuits: Sequence[tuple[UUID, Circuit]]) -> None:
    """Write how endpoints are doing, in one statement."""
    params = [[id_ for id_, _ in circuits], [c.failures for _, c in circuits]]
    execute(CIRCUITS, [*params, [c.failing_since for _, c in circuits], [c.rest_until for _, c in circuits]])


def _endpoint(row: tuple[Any, ...]) -> EndpointRow:
    id_, shop_id, url, number, key, previous, previous_key, until, failures, since, rest, state = row
    before = Secret(id_, previous, previous_key) if previous is not None else None
    circuit = Circuit(failures, since, rest)
    return EndpointRow(
        id_, shop_id, url, Secret(id_, number, key), before, until, circuit, state == "enabled"
    )
