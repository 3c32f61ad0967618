"""Which parcels may leave: those of confirmed orders whose goods are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shipping.commands.parcels import lock_by_order, save_all

STOCK_SHORT = "inventory.stock_short"


@dataclass(frozen=True)
class StockNews:
    """What inventory says of one order's goods. A later `version` outdates an earlier one."""

    order_id: UUID
    short: bool
    version: int


def clear_shipments(confirmed: Sequence[UUID], stock: Sequence[StockNews], *, now: datetime) -> None:
    """Let parcels of confirmed orders leave, and stop those whose goods are gone until they are there again.

    Safe to repeat and to hear in any order.
    """
    found = lock_by_order([*confirmed, *(news.order_id for news in stock)])
    for order_id in confirmed:
        shipment = found.get(order_id)
        if shipment and shipment.ready_at is None:
            shipment.ready_at, shipment.changed = now, True
    for news in stock:
        shipment = found.get(news.order_id)
        if shipment and news.version > shipment.stop_version:
            shipment.stop_reason = STOCK_SHORT if news.short else ""
            shipment.stop_version, shipment.changed = news.version, True
    save_all(found.values(), at=now)
