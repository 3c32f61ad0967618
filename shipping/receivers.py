"""How shipping reacts to others: a parcel leaves when its order is confirmed and its goods are there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from inventory.contract import StockAllocated, StockShort
from orders.contract import OrderConfirmed
from sagas.bus import subscription
from sagas.log import Recorded
from shipping import commands
from shipping.commands import StockNews


@subscription("shipping.clearance", of=(OrderConfirmed, StockShort, StockAllocated))
def on_clearance(*, events: Sequence[Recorded], now: datetime) -> None:
    """Clear parcels of confirmed orders, stop those short of goods, let go those that got them after all."""
    commands.clear_shipments(
        [r.event.order_id for r in events if isinstance(r.event, OrderConfirmed)],
        [news for r in events if (news := stock_news(r))],
        now=now,
    )


def stock_news(recorded: Recorded) -> StockNews | None:
    """What an event says of an order's goods. An allocation that went well at first says nothing new."""
    match recorded.event:
        case StockShort(order_id=order_id):
            return StockNews(order_id, True, recorded.version)
        case StockAllocated(order_id=order_id, again=True):
            return StockNews(order_id, False, recorded.version)
    return None
