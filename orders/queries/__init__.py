"""Every read of orders. Pages go by key, never by offset, and nothing here counts rows of orders.

What shops see comes from the read side (`seen`, `lists`, `summary`); what decisions and staff need, from the rows of
the write side.
"""

from __future__ import annotations

from orders.queries.lists import OrderFilters, OrderPage, list_orders, orders_of_customer
from orders.queries.seen import PROJECTION, Customer, OrderSeen, get_order
from orders.queries.summary import SummaryFilters, SummaryLine, order_summary
from orders.queries.write_side import (
    PlacedBefore,
    StoryPart,
    address_of,
    authenticate_token,
    fulfilment_saga,
    lines_of,
    placed_before,
    shop_by_slug,
    story_of,
)

__all__ = [
    "PROJECTION",
    "Customer",
    "OrderFilters",
    "OrderPage",
    "OrderSeen",
    "PlacedBefore",
    "StoryPart",
    "SummaryFilters",
    "SummaryLine",
    "address_of",
    "authenticate_token",
    "fulfilment_saga",
    "get_order",
    "lines_of",
    "list_orders",
    "order_summary",
    "orders_of_customer",
    "placed_before",
    "shop_by_slug",
    "story_of",
]
