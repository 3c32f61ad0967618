"""Sending again what has ended: one delivery, what lies in a time, or events by name. Bounded and set-based."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sagas.ids import uuid7
from sagas.sql import rows
from sagas.verdicts import Refused
from sagas.webhooks import contract
from sagas.webhooks.commands import Who, locked, require_enabled, tell
from sagas.webhooks.models import WebhookEndpoint
from sagas.webhooks.offered import offered_types
from sagas.webhooks.queueing import ring_after_commit

#: So many deliveries are sent again by one request.
MOST_AT_ONCE = 1_000

AGAIN = """
   SET state = 'queued', wake_at = %(now)s, failed = 0, outcome = '', finished_at = NULL
"""
ONE = f"""
UPDATE webhooks_delivery {AGAIN} WHERE id = ANY(%(ids)s::uuid[]) AND endpoint_id = %(endpoint)s AND wake_at IS NULL
RETURNING id
"""
RANGE = f"""
WITH found AS MATERIALIZED (
  SELECT id, event_at, wake_at, state FROM webhooks_delivery
   WHERE endpoint_id = %(endpoint)s AND event_at >= %(since)s AND event_at < %(until)s
     AND (event_at, id) > (%(after_at)s, %(after_id)s)
     AND wake_at IS NULL AND state = ANY(%(states)s::text[])
   ORDER BY event_at, id LIMIT %(most)s FOR NO KEY UPDATE
), done AS (
  UPDATE webhooks_delivery d {AGAIN} FROM found WHERE d.id = found.id
)
SELECT id, event_at FROM found ORDER BY event_at, id
"""  # noqa: S608 - constants
# Also events that were never fanned out to this endpoint, as from before it was there: they are found by their name.
EVENTS = f"""
INSERT INTO webhooks_delivery AS d (id, endpoint_id, stream, version, type, event_at, state, attempt, failed, outcome,
                                    history, wake_at, made_at)
SELECT u.id, %(endpoint)s, e.stream, e.version, e.type, e.at, 'queued', 0, 0, '', '[]', %(now)s, %(now)s
  FROM unnest(%(ids)s::uuid[], %(streams)s::uuid[], %(versions)s::int[]) AS u (id, stream, version)
  JOIN sagas_event e USING (stream, version)
 WHERE e.data ->> 'shop_id' = %(shop)s AND e.type = ANY(%(types)s::text[]) ORDER BY e.stream, e.version
ON CONFLICT (endpoint_id, stream, version) DO UPDATE {AGAIN} WHERE d.wake_at IS NULL
RETURNING id
"""  # noqa: S608 - constants


class UnknownEvent(Refused):
    """A name that is none of an event this shop may be told of."""

    code = "webhooks.unknown_event"


@dataclass(frozen=True)
class Replayed:
    """How many are sent again, and behind which delivery to go on if there are more."""

    count: int
    after: tuple[datetime, UUID] | None = None


def replay_deliveries(
    endpoint_id: UUID, ids: Sequence[UUID], *, shop_id: UUID | None, who: Who, now: datetime
) -> Replayed:
    """Send these again if they have ended; those under way are left to it. Under the webhook-id they had."""
    endpoint = locked(endpoint_id, shop_id=shop_id)
    require_enabled(endpoint)
    found = rows(ONE, {"ids": list(ids[:MOST_AT_ONCE]), "endpoint": endpoint_id, "now": now})
    return _replayed(len(found), endpoint, who, now)


def replay_range(
    endpoint_id: UUID,
    *,
    shop_id: UUID,
    since: datetime,
    until: datetime,
    states: Sequence[str],
    after: tuple[datetime, UUID] | None,
    who: Who,
    now: datetime,
) -> Replayed:
    """Send again what has ended of the events in [since, until), oldest first, at most MOST_AT_ONCE at a time."""
    endpoint = locked(endpoint_id, shop_id=shop_id)
    require_enabled(endpoint)
    after_at, after_id = after or (since, UUID(int=0))
    params = {
        "endpoint": endpoint_id,
        "since": since,
        "until": until,
        "after_at": after_at,
        "after_id": after_id,
    }
    found = rows(RANGE, params | {"states": list(states), "most": MOST_AT_ONCE, "now": now})
    last = (found[-1][1], found[-1][0]) if len(found) == MOST_AT_ONCE else None
    return _replayed(len(found), endpoint, who, now, last)


def replay_events(
    endpoint_id: UUID, names: Sequence[str], *, shop_id: UUID, who: Who, now: datetime
) -> Replayed:
    """Send the events of these names, whether they were sent before or not. Raises UnknownEvent."""
    endpoint = locked(endpoint_id, shop_id=shop_id)
    require_enabled(endpoint)
    wanted = sorted({_parsed(name) for name in names})
    params = {
        "endpoint": endpoint_id, "shop": str(shop_id), "types": offered_types(), "now": now,
        "ids": [uuid7() for _ in wanted], "streams": [s for s, _ in wanted], "versions": [v for _, v in wanted],
    }  # fmt: skip
    return _replayed(len(rows(EVENTS, params)), endpoint, who, now)


def _parsed(name: str) -> tuple[UUID, int]:
    stream, _, version = name.partition(".")
    try:
        found = UUID(stream), int(version)
    except ValueError:
        raise UnknownEvent(detail=f"{name[:80]!r} is not the id of an event.") from None
    if not 0 < found[1] < 2**31:
        raise UnknownEvent(detail=f"{name[:80]!r} is not the id of an event.")
    return found


def _replayed(
    count: int, endpoint: WebhookEndpoint, who: Who, now: datetime, after: tuple[datetime, UUID] | None = None
) -> Replayed:
    if count:
        tell(endpoint, contract.REPLAYED, who=who, now=now, deliveries=count)
        ring_after_commit()
    return Replayed(count, after)
