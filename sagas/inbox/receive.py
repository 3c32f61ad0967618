"""Taking a message in: proven, stored in one statement, and answered. What it means is somebody else's matter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import structlog

from sagas import bell, documents
from sagas.ids import uuid7
from sagas.inbox import metrics
from sagas.inbox.signing import BadSignature
from sagas.inbox.sources import Source, Unreadable
from sagas.inbox.store import PATIENCE
from sagas.sql import execute

logger = structlog.get_logger(__name__)

#: The longest body that is taken. Providers send some kilobytes.
MOST_BYTES = 256 * 1024

STORE = """
INSERT INTO sagas_incomingwebhook (id, source, event_id, type, object_id, meaning, body, headers, occurred_at,
       received_at, expires_at, state, code, attempts, wake_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, waybill_now(), waybill_now() + %s::interval, 'received', '', 0,
        waybill_now())
ON CONFLICT (source, event_id) DO NOTHING
"""


def receive(source: Source, body: bytes, headers: Mapping[str, str], *, now: datetime) -> bool:
    """Store a message, durably when this returns; whether it is new. Safe to repeat: one row per event id.

    Raises BadSignature or Unreadable, both counted and logged; then nothing was stored.
    """
    try:
        source.verifier().verify(body, headers, now=now)
        notice = source.read(body)
    except (BadSignature, Unreadable) as error:
        code = error.code if isinstance(error, BadSignature) else "unreadable"
        metrics.count(source.name, "rejected")
        logger.warning("webhook_rejected", source=source.name, code=code, size=len(body))
        raise
    kept = {name: headers[name][:500] for name in source.keeps if name in headers}
    new = execute(STORE, [
        uuid7(), source.name, notice.event_id, notice.type, notice.object_id, notice.meaning, body,
        documents.encode(kept), notice.occurred_at, PATIENCE,
    ])  # fmt: skip
    metrics.count(source.name, "received" if new else "duplicate")
    if new:
        bell.ring(source.reader)
    return bool(new)
