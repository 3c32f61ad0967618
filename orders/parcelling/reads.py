"""Every read of parcels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from orders import queries
from orders.models import Order
from orders.parcelling.models import FulfilmentOrder
from orders.parcelling.states import STANDS
from orders.states import State as OrderState


def of_order(order_id: UUID, *, shop_id: UUID) -> list[FulfilmentOrder] | None:
    """An order's parcels by number, in two statements. None if the shop has no such order."""
    if not Order.objects.filter(pk=order_id, shop_id=shop_id).exists():
        return None
    return list(FulfilmentOrder.objects.filter(order_id=order_id).order_by("number"))


def get(parcel_id: UUID, *, order_id: UUID, shop_id: UUID) -> FulfilmentOrder | None:
    """One parcel of one order of that shop, or None."""
    return FulfilmentOrder.objects.filter(pk=parcel_id, order_id=order_id, shop_id=shop_id).first()


@dataclass(frozen=True, slots=True)
class LineFree:
    """A line of an order, and how many of its pieces no parcel has claimed."""

    position: int
    sku: str
    name: str
    quantity: int
    free: int


@dataclass(frozen=True, slots=True)
class Shippable:
    """An order as a person sees it who wants to ship of it. What it says may be old when they press the button."""

    order: Order
    lines: Sequence[LineFree]
    parcels: Sequence[FulfilmentOrder]

    @property
    def possible(self) -> bool:
        """Whether a parcel could be asked for just now."""
        open_ = self.order.state in (OrderState.CONFIRMED, OrderState.PROCESSING)
        return open_ and not self.order.on_hold and any(line.free for line in self.lines)


def shippable(order_id: UUID) -> Shippable | None:
    """An order in parcels with what is free of it, in three statements. None if there is no such order."""
    order = Order.objects.filter(pk=order_id, in_parcels=True).first()
    if order is None:
        return None
    parcels = list(FulfilmentOrder.objects.filter(order_id=order_id).order_by("number"))
    taken = Counter[int]()
    for parcel in parcels:
        if parcel.state in STANDS:
            taken.update({line["position"]: line["quantity"] for line in parcel.lines})
    lines = [
        LineFree(line.position, line.sku, line.name, line.quantity, line.quantity - taken[line.position])
        for line in queries.lines_of(order_id)
    ]
    return Shippable(order, lines, parcels)
