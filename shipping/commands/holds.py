"""Orders whose parcels stay in the house while the customer's bank disputes the payment."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sagas.sql import execute

# News of one dispute may come in any order: an earlier version changes nothing.
HOLD = """
INSERT INTO shipping_hold AS h (dispute_id, order_id, version, held, moved_at)
VALUES (%(dispute)s, %(order)s, %(version)s, coalesce(%(held)s::boolean, true), %(now)s)
ON CONFLICT (dispute_id) DO UPDATE
   SET version = excluded.version, held = coalesce(%(held)s::boolean, h.held), moved_at = excluded.moved_at
 WHERE h.version < excluded.version
"""
LET_GO = "UPDATE shipping_hold SET held = false, moved_at = %s WHERE order_id = %s AND held"


def hold_order(order_id: UUID, dispute_id: UUID, *, held: bool | None, version: int, now: datetime) -> None:
    """Keep an order's parcels in the house for a dispute, or let them go; None leaves that as it is.

    Also parcels that are made later. What has left has left. Safe to repeat.
    """
    execute(HOLD, {"dispute": dispute_id, "order": order_id, "version": version, "held": held, "now": now})


def let_go(order_id: UUID, *, now: datetime) -> None:
    """A person has looked: its parcels may leave, whatever the bank decides. Safe to repeat."""
    execute(LET_GO, [now, order_id])
