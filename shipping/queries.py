"""Every read of shipping."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sagas.sql import rows
from shipping.scans import Stands

FIRST = UUID(int=0)

TO_HAND_OVER = """
SELECT id, carrier_id FROM shipping_shipment
 WHERE state = 'label_bought' AND ready_at IS NOT NULL AND stop_reason = ''
   AND id > %s AND NOT order_id = ANY(%s::uuid[])
   AND NOT EXISTS (SELECT FROM shipping_hold h WHERE h.order_id = shipping_shipment.order_id AND h.held)
 ORDER BY id LIMIT %s
"""
TO_DELIVER = """
SELECT id, carrier_id FROM shipping_shipment WHERE state = 'handed_over' AND id > %s ORDER BY id LIMIT %s
"""
# In another order at each look, so that one the carrier never answers for is not always the first.
SURPLUS = """
SELECT id, label FROM shipping_shipment, unnest(surplus) AS label
 WHERE surplus <> '{}' ORDER BY md5(label || %s) LIMIT %s
"""


BY_CARRIER_ID = "SELECT carrier_id, id FROM shipping_shipment WHERE carrier_id = ANY(%s::text[])"
STANDING = """
SELECT carrier_id, state, progress, progress_at FROM shipping_shipment WHERE carrier_id = ANY(%s::text[])
"""
SILENT = """
SELECT id, carrier_id FROM shipping_shipment WHERE ask_at <= %s ORDER BY ask_at LIMIT %s
"""


@dataclass(frozen=True)
class Waiting:
    """A parcel that waits to be taken or brought, and its name at the carrier."""

    id: UUID
    carrier_id: str


def to_hand_over(
    *, limit: int, after: UUID | None = None, except_orders: Collection[UUID] = ()
) -> list[Waiting]:
    """Parcels that may leave, oldest first: label bought, order confirmed, nothing against it, and no bank after it."""
    return [Waiting(*row) for row in rows(TO_HAND_OVER, [after or FIRST, list(except_orders), limit])]


def to_deliver(*, limit: int, after: UUID | None = None) -> list[Waiting]:
    """Parcels the carrier has, oldest first."""
    return [Waiting(*row) for row in rows(TO_DELIVER, [after or FIRST, limit])]


def surplus_labels(*, now: datetime, limit: int) -> list[Waiting]:
    """Labels too many that still have to be given back, each with its shipment. They are few."""
    return [Waiting(*row) for row in rows(SURPLUS, [now.isoformat(), limit])]


def by_carrier_id(names: Collection[str]) -> dict[str, UUID]:
    """Shipments by their name at the carrier. Those nobody knows are left out."""
    return dict(rows(BY_CARRIER_ID, [sorted(names)])) if names else {}


def silent_parcels(*, now: datetime, limit: int) -> list[Waiting]:
    """Parcels on their way of which nothing was heard for long, the longest first."""
    return [Waiting(*row) for row in rows(SILENT, [now, limit])]


def standing(names: Collection[str]) -> list[Stands]:
    """How far parcels have come, by their name at the carrier."""
    return [Stands(*row) for row in rows(STANDING, [sorted(names)])] if names else []
