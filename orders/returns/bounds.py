"""What else decides how many pieces of an order may come back: whose money was promised, and what has left."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

from orders.aggregate import Order
from orders.models import Order as OrderRecord
from orders.parcelling.claims import handed_over_of
from orders.refunding.requests import promised_of_all
from orders.returns import rules, store
from orders.returns.aggregate import Return
from orders.worth import Pieces, Promised

NOTHING: Pieces = {}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What of an order waits for the approval of a refund, and the pieces that carriers have had; None: all of them."""

    promised: Promised
    handed_over: Pieces | None = None

    def free(self, order: Order, known: Sequence[Return], *, besides: UUID | None = None) -> dict[int, int]:
        """Pieces of each line of goods that may come back, not counting the return `besides`. Needs the lines."""
        spoken = store.spoken_for(known, besides=besides)
        return rules.free_pieces(order.lines.values(), spoken, self.promised, self.handed_over)

    def once_it_has_left(self) -> Self:
        """The same, as if carriers had every piece."""
        return replace(self, handed_over=None)


def of(
    orders: Mapping[UUID, Order] | Mapping[UUID, OrderRecord], *, arrived: Collection[UUID] = ()
) -> dict[UUID, Bounds]:
    """The bounds of orders, in two statements. Shipments that `arrived` again have left, whether that was told or not.

    They hold for as long as the orders are locked.
    """
    promised = promised_of_all(list(orders))
    in_parcels = [order.id for order in orders.values() if order.in_parcels]
    gone = handed_over_of(in_parcels, besides=arrived) if in_parcels else {}
    return {
        order.id: Bounds(
            promised.get(order.id, Promised()), gone.get(order.id, NOTHING) if order.in_parcels else None
        )
        for order in orders.values()
    }
