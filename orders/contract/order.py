"""What happens to one order, from its draft to its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from orders.contract.names import ORCHESTRATION
from orders.contract.shapes import Charge, GivenBack, PlacedLine, RefundedPieces
from sagas.events import Event, register_event, upcaster


@dataclass(frozen=True, kw_only=True)
class OrderEvent(Event):
    """What every fact about one order says."""

    order_id: UUID
    shop_id: UUID


@register_event("orders.OrderPlaced", version=3, for_shops=True)
@dataclass(frozen=True, kw_only=True)
class OrderPlaced(OrderEvent):
    """A shop sent an order. It is a draft until its saga accepts it.

    `fulfilment` is who leads it: orchestration (the engine) or choreography (nobody; this event is the first step).
    `ship_in_parcels`: its money is only held and its goods only promised when it is confirmed; each parcel that the
    shop or its staff ask for then takes its own share.

    A line is {position, sku, name, kind, quantity, unit_price_minor, tax_minor, discount_minor, total_minor},
    positions counting from 1; a SKU may stand on several lines. A charge is {kind, amount_minor}.
    `goods_minor` sums all lines, `charges_minor` all charges, `total_minor` both. `country` is ISO 3166.
    """

    external_reference: str
    person_id: UUID
    currency: str
    total_minor: int
    goods_minor: int
    charges_minor: int
    country: str
    payment_method: str
    placed_at: datetime
    lines: tuple[Annotated[dict[str, Any], PlacedLine], ...]
    charges: tuple[Annotated[dict[str, Any], Charge], ...] = ()
    fulfilment: str = ORCHESTRATION
    ship_in_parcels: bool = False


@upcaster("orders.OrderPlaced", from_version=1)
def _placed_before_there_was_a_choice(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "fulfilment": ORCHESTRATION}


@upcaster("orders.OrderPlaced", from_version=2)
def _placed_before_there_were_parcels(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "ship_in_parcels": False}


@register_event("orders.OrderAccepted", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class OrderAccepted(OrderEvent):
    """The draft is pending; saga `saga_id` holds the order until it is confirmed or given back."""

    saga_id: UUID


@register_event("orders.OrderConfirmed", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class OrderConfirmed(OrderEvent):
    """The money is ours, the goods are promised: what was held becomes allocated. The lock is gone.

    Of an order in parcels the money is still held: each of its parcels takes a share of it.
    """


@register_event("orders.OrderRejected", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class OrderRejected(OrderEvent):
    """A step refused or the deadline passed, and everything was given back. Final."""

    code: str


@register_event("orders.CancellationRequested", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class CancellationRequested(OrderEvent):
    """Somebody asked to cancel the order (`whole`) or some of its lines.

    `saga_id` is the saga that carries it out: the fulfilment that turns back, or a cancel_fulfilment.
    """

    saga_id: UUID
    whole: bool
    reason: str


@register_event("orders.CancellationLost", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class CancellationLost(OrderEvent):
    """The cancellation came too late for the goods: they are on their way. A return is what remains."""

    code: str


@register_event("orders.OrderCancelled", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class OrderCancelled(OrderEvent):
    """Nothing of the order will be shipped, and everything was given back. Final."""

    reason: str


@register_event("orders.OrderLinesCancelled", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class OrderLinesCancelled(OrderEvent):
    """Some pieces will not be shipped. A line is {position, sku, quantity}; `amount_minor` is credited."""

    lines: tuple[Annotated[dict[str, Any], GivenBack], ...]
    amount_minor: int


@register_event("orders.OrderProcessing", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class OrderProcessing(OrderEvent):
    """The carrier has at least one parcel. From here on giving back is a return."""


@register_event("orders.OrderCompleted", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class OrderCompleted(OrderEvent):
    """Every parcel was delivered. Final; goods may still be returned."""


@register_event("orders.ReturnOpened", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ReturnOpened(OrderEvent):
    """Goods are coming back; saga `saga_id` holds the order until the return is closed."""

    saga_id: UUID


@register_event("orders.GoodsReturned", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class GoodsReturned(OrderEvent):
    """Pieces came back and were accepted. A line is {position, sku, quantity}; the return's lock is gone."""

    lines: tuple[Annotated[dict[str, Any], GivenBack], ...]
    amount_minor: int


@register_event("orders.RefundOpened", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundOpened(OrderEvent):
    """Money is being paid back as `request_id` asks; saga `saga_id` holds the order until it has gone."""

    saga_id: UUID
    request_id: UUID


@register_event("orders.OrderRefunded", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class OrderRefunded(OrderEvent):
    """Money of the order is given back or owed, and is never promised again. The refund's lock is gone.

    A line is {position, sku, quantity, amount_minor}; there is none if an amount was asked for. `amount_minor` is all.
    """

    request_id: UUID
    lines: tuple[Annotated[dict[str, Any], RefundedPieces], ...]
    amount_minor: int


@register_event("orders.OrderNeedsAttention")
@dataclass(frozen=True, kw_only=True)
class OrderNeedsAttention(OrderEvent):
    """A person has to look. `on_hold` says that the order cannot go forward before they did."""

    reason: str
    on_hold: bool
    owner: str


@register_event("orders.OrderAttentionCleared")
@dataclass(frozen=True, kw_only=True)
class OrderAttentionCleared(OrderEvent):
    """A person has looked; the reason is in the metadata."""


@register_event("orders.AddressCorrected", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class AddressCorrected(OrderEvent):
    """The order goes to another address of its customer. `person_id` stands for it: what it says is in no event."""

    person_id: UUID
