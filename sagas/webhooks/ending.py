"""When an endpoint gets nothing any more: its owner is told, and what was open is listed as exhausted."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from uuid import UUID

import structlog
from django.db import transaction

from sagas.log import Append, publish
from sagas.sql import execute
from sagas.webhooks import metrics
from sagas.webhooks.contract import EndpointDisabled
from sagas.webhooks.models import WebhookEndpoint

logger = structlog.get_logger(__name__)

LIMIT = 1_000
# Whoever sends locks the endpoint before its deliveries; what is under way comes to its end first.
CLOSE = """
UPDATE webhooks_delivery SET state = 'exhausted', outcome = 'disabled', wake_at = NULL, finished_at = %s
 WHERE id IN (
   SELECT d.id FROM webhooks_endpoint p CROSS JOIN LATERAL (
     SELECT id FROM webhooks_delivery WHERE endpoint_id = p.id AND wake_at IS NOT NULL
        AND (state <> 'sending' OR wake_at <= %s) LIMIT %s FOR UPDATE SKIP LOCKED) d
    WHERE p.state = 'disabled' LIMIT %s)
"""


def disable_locked(
    endpoint_id: UUID, shop_id: UUID, *, code: str, now: datetime, actor: str, reason: str = ""
) -> None:
    """Disable an endpoint whose row is locked, and tell its owner: an event, a line in the log, a number."""
    WebhookEndpoint.objects.filter(pk=endpoint_id).update(
        state=WebhookEndpoint.State.DISABLED, state_code=code, state_since=now, rest_until=None
    )
    event = EndpointDisabled(endpoint_id=endpoint_id, shop_id=shop_id, code=code)
    publish([Append(endpoint_id, None, event)], now=now, actor=actor, reason=reason)
    transaction.on_commit(partial(_tell, endpoint_id, shop_id, code))


def _tell(endpoint_id: UUID, shop_id: UUID, code: str) -> None:
    metrics.DISABLED.labels(code).inc()
    logger.warning("webhook_endpoint_disabled", endpoint_id=str(endpoint_id), shop_id=str(shop_id), code=code)


def close_disabled(*, now: datetime) -> int:
    """List as exhausted what is open at disabled endpoints, a bounded batch at a time."""
    count = execute(CLOSE, [now, now, LIMIT, LIMIT])
    metrics.EXHAUSTED.inc(count)
    return count
