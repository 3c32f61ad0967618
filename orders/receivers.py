"""What orders does when the other apps have moved. Every receiver takes a mixed batch and writes once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from inventory import contract as inventory
from orders import commands
from orders.commands import ParcelNews
from payments import contract as payments
from sagas.bus import subscription
from sagas.log import Recorded
from shipping import contract as shipping


@subscription(
    "orders.parcels",
    of=(
        shipping.ShipmentBooked,
        shipping.ShipmentCancelled,
        shipping.ShipmentHandedOver,
        shipping.ShipmentDelivered,
    ),
)
def on_parcels(*, events: Sequence[Recorded], now: datetime) -> None:
    """Hand-over makes an order processing, delivery of all its parcels completes it. In whatever order."""
    news: dict[UUID, ParcelNews] = {}
    for recorded in events:
        event = recorded.event
        if isinstance(event, shipping.ShipmentEvent):
            item = news.setdefault(event.shipment_id, ParcelNews(event.shipment_id, event.order_id))
            item.handed_over |= isinstance(event, shipping.ShipmentHandedOver)
            item.delivered |= isinstance(event, shipping.ShipmentDelivered)
            item.gone |= isinstance(event, shipping.ShipmentCancelled)
    commands.note_parcels(list(news.values()), now=now)


@subscription("orders.lost_goods", of=(inventory.StockShort,))
def on_lost_goods(*, events: Sequence[Recorded], now: datetime) -> None:
    """A confirmed order whose goods are gone may not leave: a person decides."""
    short = [r.event for r in events if isinstance(r.event, inventory.StockShort)]
    commands.flag_orders({e.order_id: f"stock short: {e.sku}" for e in short}, on_hold=True, now=now)


@subscription("orders.failed_refunds", of=(payments.RefundFailed,))
def on_failed_refunds(*, events: Sequence[Recorded], now: datetime) -> None:
    """Money is still owed to the customer: a person finds another way to pay it back."""
    failed = [r.event for r in events if isinstance(r.event, payments.RefundFailed)]
    commands.flag_orders({e.order_id: f"refund failed: {e.code}" for e in failed}, on_hold=False, now=now)
