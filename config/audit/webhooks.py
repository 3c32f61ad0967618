"""I11: what an endpoint asked for is there, delivered, on its way or given up. Looks at the settled part of the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from config.audit.replay import Progress
from sagas.sql import rows
from sagas.webhooks.loops import KEPT_FOR
from sagas.webhooks.offered import offered_types

# Below the reader's checkpoint. What it could not digest is listed as parked. An endpoint that has been disabled for
# long is no longer kept account of; deliveries are kept for a time after they ended, so older events tell nothing.
LOST = """
SELECT 'endpoint ' || p.id, e.type, e.stream || '.' || e.version
  FROM webhooks_endpoint p
  JOIN sagas_checkpoint c ON c.subscription = 'webhooks.fan_out' AND c.shard = 0
  JOIN sagas_event e ON (e.era, e.xid, e.position) >= (p.asked_era, p.asked_xid, 0)
   AND (e.era, e.xid, e.position) <= (c.era, c.xid, c.position)
   AND e.type = ANY(%(types)s::text[]) AND (p.event_types = '{}' OR e.type = ANY(p.event_types))
   AND e.data ->> 'shop_id' = p.shop_id::text AND e.at > waybill_now() - %(kept)s
 WHERE p.deleted_at IS NULL AND (p.state = 'enabled' OR p.state_since > waybill_now() - %(kept)s)
   AND NOT EXISTS (SELECT FROM webhooks_delivery d
                    WHERE d.endpoint_id = p.id AND d.stream = e.stream AND d.version = e.version)
   AND NOT EXISTS (SELECT FROM sagas_parkedevent k WHERE k.subscription = c.subscription
                      AND k.stream = e.stream AND k.version = e.version)
"""


def lost_webhooks(_: Progress) -> Iterable[Sequence[object]]:
    """Events that an endpoint asked for and that no delivery accounts for."""
    return rows(LOST, {"types": offered_types(), "kept": KEPT_FOR}, prepare=False)
