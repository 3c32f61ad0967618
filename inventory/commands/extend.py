"""Hold goods for longer: their order waits for a person, who was promised more time than the hold has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from inventory.contract import HoldExtended
from sagas.log import Append, publish
from sagas.sql import rows

# Rows are taken in one order. A hold only ever grows longer, so a repeat changes nothing.
EXTEND = """
UPDATE inventory_reservation r SET expires_at = u.until, version = r.version + 1
  FROM (SELECT h.id, w.until FROM inventory_reservation h
          JOIN unnest(%s::uuid[], %s::timestamptz[]) AS w (order_id, until) ON w.order_id = h.order_id
         WHERE h.state = 'held' AND h.expires_at < w.until
         ORDER BY h.id FOR NO KEY UPDATE OF h) AS u
 WHERE r.id = u.id
RETURNING r.id, r.order_id, r.shop_id, r.version, r.expires_at
"""


def extend_holds(until: Mapping[UUID, datetime], *, now: datetime) -> int:
    """Let the holds of these orders not run out before then; how many were extended. Safe to repeat.

    What was let go already is not taken anew. Publishes HoldExtended.
    """
    found = rows(EXTEND, [list(until), list(until.values())]) if until else []
    publish([_extended(*row) for row in found], now=now)
    return len(found)


def _extended(id_: UUID, order_id: UUID, shop_id: UUID, version: int, expires_at: datetime) -> Append:
    event = HoldExtended(reservation_id=id_, order_id=order_id, shop_id=shop_id, expires_at=expires_at)
    return Append(id_, version, event)
