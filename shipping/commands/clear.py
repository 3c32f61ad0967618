"""Which parcels may leave: those of confirmed orders whose goods are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sagas.sql import execute
from shipping.commands import stops
from shipping.commands.parcels import lock_parts, save_all
from shipping.commands.stops import StockNews
from shipping.models import NOT_LIVE

# The same shipment that `lock_parts` chooses of a whole order: the live one, else the last.
CLEAR = """
WITH locked AS (
  SELECT id, order_id, ready_at, state <> ALL(%s::text[]) AS live
    FROM shipping_shipment WHERE order_id = ANY(%s::uuid[]) AND part_id IS NULL ORDER BY id FOR NO KEY UPDATE
), chosen AS (
  SELECT DISTINCT ON (order_id) id, ready_at FROM locked ORDER BY order_id, live DESC, id DESC
)
UPDATE shipping_shipment s SET ready_at = %s FROM chosen c WHERE s.id = c.id AND c.ready_at IS NULL
"""


def clear_shipments(confirmed: Sequence[UUID], stock: Sequence[StockNews], *, now: datetime) -> None:
    """Let parcels of confirmed orders leave, and stop those whose goods are gone until they are there again.

    A confirmation says nothing of the parcels of an order that has several: each is paid for by itself. What is short
    stops those that are booked later as well. Safe to repeat and to hear in any order. Where nothing but confirmations
    is heard, as nearly always, one statement does it.
    """
    if not stock:
        _clear(confirmed, now)
        return
    stops.note(stock)
    found = lock_parts([*confirmed, *(news.order_id for news in stock)])
    for order_id in confirmed:
        shipment = found.get(order_id)
        if shipment and shipment.ready_at is None:
            shipment.ready_at, shipment.changed = now, True
    for news in stock:
        for shipment in found.values():
            if shipment.order_id == news.order_id and news.version > shipment.stop_version:
                shipment.stop_reason = news.reason
                shipment.stop_version, shipment.changed = news.version, True
    save_all(found.values(), at=now)


def clear_parcels(parcels: Mapping[UUID, UUID], *, now: datetime) -> None:
    """Let one parcel each of orders that have several leave, by part with its order. Safe to repeat."""
    found = lock_parts(parcels.values())
    for part in parcels:
        shipment = found.get(part)
        if shipment and shipment.ready_at is None:
            shipment.ready_at, shipment.changed = now, True
    save_all(found.values(), at=now)


def _clear(confirmed: Sequence[UUID], now: datetime) -> None:
    if confirmed:
        execute(CLEAR, [list(NOT_LIVE), list(confirmed), now])
