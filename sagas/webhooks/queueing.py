"""Making deliveries, and ringing whoever sends them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction

from sagas.bell import ring
from sagas.ids import uuid7
from sagas.log import Recorded
from sagas.sql import execute

#: The sender's task and bell.
TASK = "webhooks.send"

#: What a disabled endpoint would have got is listed, so that it can be replayed, for so long.
LISTED_WHILE_DISABLED = timedelta(days=30)

# One row per endpoint and event for good: told again, nothing is added.
FAN_OUT = """
INSERT INTO webhooks_delivery (id, endpoint_id, stream, version, type, event_at, state, attempt, failed, outcome,
                               history, wake_at, made_at, finished_at)
SELECT u.id, u.endpoint_id, u.stream, u.version, u.type, u.event_at, CASE WHEN u.on THEN 'queued' ELSE 'exhausted' END,
       0, 0, CASE WHEN u.on THEN '' ELSE 'disabled' END, '[]', CASE WHEN u.on THEN %(now)s END, %(now)s,
       CASE WHEN NOT u.on THEN %(now)s END
  FROM unnest(%(ids)s::uuid[], %(endpoints)s::uuid[], %(streams)s::uuid[], %(versions)s::int[], %(types)s::text[],
              %(ats)s::timestamptz[], %(enabled)s::bool[])
    AS u (id, endpoint_id, stream, version, type, event_at, "on")
 ORDER BY u.id ON CONFLICT DO NOTHING
"""


def queue(pairs: Sequence[tuple[UUID, bool, Recorded]], *, now: datetime) -> None:
    """Make deliveries of (endpoint, whether it is enabled, event), in their order; the sender is rung after the commit.

    Safe to repeat: there is one delivery per endpoint and event.
    """
    events = [event for _, _, event in pairs]
    params = {
        "now": now, "ids": [uuid7() for _ in pairs], "endpoints": [endpoint for endpoint, _, _ in pairs],
        "streams": [e.stream for e in events], "versions": [e.version for e in events],
        "types": [e.type for e in events], "ats": [e.at for e in events], "enabled": [on for _, on, _ in pairs],
    }  # fmt: skip
    execute(FAN_OUT, params)
    ring_after_commit()


def ring_after_commit() -> None:
    """Have the sender look once this transaction is there to be seen."""
    transaction.on_commit(partial(ring, TASK), robust=True)
