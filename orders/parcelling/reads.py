"""Every read of parcels."""

from __future__ import annotations

from uuid import UUID

from orders.models import Order
from orders.parcelling.models import FulfilmentOrder


def of_order(order_id: UUID, *, shop_id: UUID) -> list[FulfilmentOrder] | None:
    """An order's parcels by number, in two statements. None if the shop has no such order."""
    if not Order.objects.filter(pk=order_id, shop_id=shop_id).exists():
        return None
    return list(FulfilmentOrder.objects.filter(order_id=order_id).order_by("number"))


def get(parcel_id: UUID, *, order_id: UUID, shop_id: UUID) -> FulfilmentOrder | None:
    """One parcel of one order of that shop, or None."""
    return FulfilmentOrder.objects.filter(pk=parcel_id, order_id=order_id, shop_id=shop_id).first()
