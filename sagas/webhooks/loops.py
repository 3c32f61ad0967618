"""Loops of webhooks: ring for what is due, close what disabled endpoints left open, delete what is old."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import structlog
from django.db import connection

from sagas import bell
from sagas.loops import keeper
from sagas.sql import execute
from sagas.webhooks import ending, store
from sagas.webhooks.queueing import TASK
from sagas.webhooks.send import send

logger = structlog.get_logger(__name__)

#: Deliveries overdue by so much are sent by a thread of this process: the broker is of no use, or no worker listens.
OVERDUE = timedelta(seconds=10)
#: How long such a thread begins new calls.
THREAD_SECONDS = 20.0

#: Deliveries are kept for so long after they ended. The audit looks no further back; the docs name it.
KEPT_FOR = timedelta(days=30)
LIMIT = 2_000
OLD = """
DELETE FROM webhooks_delivery WHERE id IN (
  SELECT id FROM webhooks_delivery WHERE finished_at < %s ORDER BY finished_at LIMIT %s)
"""
OF_DELETED = """
DELETE FROM webhooks_delivery WHERE id IN (
  SELECT d.id FROM webhooks_endpoint p CROSS JOIN LATERAL (
    SELECT id FROM webhooks_delivery WHERE endpoint_id = p.id AND wake_at IS NULL LIMIT %s) d
   WHERE p.deleted_at < %s LIMIT %s)
"""
DELETED = """
DELETE FROM webhooks_endpoint p
 WHERE deleted_at < %s AND NOT EXISTS (SELECT FROM webhooks_delivery d WHERE d.endpoint_id = p.id)
"""
#: A fan-out that saw an endpoint before it was deleted is long over.
GRACE = timedelta(minutes=10)

_helper: threading.Thread | None = None


@keeper("webhooks.sweep", every=1.0)
def sweep(*, now: datetime) -> int:
    """Ring for due deliveries. Nothing is sent in this thread: a slow endpoint must hold up no other loop."""
    due = store.next_due()
    if not due:
        return 0
    rung = bell.ring(TASK)
    oldest = min(since for _, since in due)
    if not rung or now - oldest > OVERDUE:
        help_out()
    return 0


def help_out() -> None:
    """Send in a thread of this process, one at a time. If the process ends, leases do the rest."""
    global _helper  # noqa: PLW0603 - one per process
    if _helper is None or not _helper.is_alive():
        _helper = threading.Thread(target=_send, name="webhooks", daemon=True)
        _helper.start()


def _send() -> None:
    try:
        send(seconds=THREAD_SECONDS)
    except Exception:
        logger.exception("webhook_helper_failed")
    finally:
        connection.close()


@keeper("webhooks.close_disabled", every=5.0)
def close_disabled(*, now: datetime) -> int:
    """List as exhausted what is open at disabled endpoints."""
    return ending.close_disabled(now=now)


@keeper("webhooks.retention", every=60.0)
def retention(*, now: datetime) -> int:
    """Delete old deliveries, and deleted endpoints with all they left."""
    gone = execute(OLD, [now - KEPT_FOR, LIMIT])
    gone += execute(OF_DELETED, [LIMIT, now - GRACE, LIMIT])
    return gone + execute(DELETED, [now - GRACE])
