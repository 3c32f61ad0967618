"""Orders promises: an order is accepted once per shop and reference, and its totals never change after that.

Every event of an order is written to the stream of its `order_id`; version 1 is `OrderPlaced`, which carries
the lines once, for everybody. Amounts are integers in the minor unit of the order's currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypedDict
from uuid import UUID

from sagas.events import Event, register_event, upcaster

FULFIL_ORDER = "orders.fulfil_order"
FULFIL_IN_PARCELS = "orders.fulfil_in_parcels"
SHIP_PARCEL = "orders.ship_parcel"
CANCEL_FULFILMENT = "orders.cancel_fulfilment"
RETURN_GOODS = "orders.return_goods"
REFUND_ORDER = "orders.refund_order"

PLACE_ORDER = "orders.place_order"
CANCEL_ORDER = "orders.cancel_order"
CONFIRM_ORDER = "orders.confirm_order"
BEGIN_CANCELLATION = "orders.begin_cancellation"
ABANDON_CANCELLATION = "orders.abandon_cancellation"
CLOSE_CANCELLATION = "orders.close_cancellation"
RECEIVE_RETURN = "orders.receive_return"
WITHDRAW_RETURN = "orders.withdraw_return"
INSPECT_RETURN = "orders.inspect_return"
CLOSE_RETURN = "orders.close_return"
CLOSE_REFUND = "orders.close_refund"
PACK_PARCEL = "orders.pack_parcel"
UNPACK_PARCEL = "orders.unpack_parcel"
READY_PARCEL = "orders.ready_parcel"
CANCEL_PARCEL = "orders.cancel_parcel"
HOLD_PARCEL = "orders.hold_parcel"
KEEP_PARCEL = "orders.keep_parcel"
CANCEL_PIECES = "orders.cancel_pieces"
FINISH_ORDER = "orders.finish_order"

#: Who leads an order through payment, inventory and shipping.
ORCHESTRATION = "orchestration"
CHOREOGRAPHY = "choreography"

#: Kinds of a line: goods are reserved and shipped, a voucher is sold with nothing to ship.
GOODS = "goods"
VOUCHER = "voucher"


class PlacedLine(TypedDict):
    """A line as it was ordered."""

    position: int
    sku: str
    name: str
    kind: str
    quantity: int
    unit_price_minor: int
    tax_minor: int
    discount_minor: int
    total_minor: int


class Charge(TypedDict):
    """Money on the order beside its lines."""

    kind: str
    amount_minor: int


class GivenBack(TypedDict):
    """Pieces of one line that were cancelled or returned."""

    position: int
    sku: str
    quantity: int


class Inspected(TypedDict):
    """What an inspection says of one line: `restock` of the accepted pieces go back on the shelf."""

    position: int
    sku: str
    accepted: int
    rejected: int
    restock: int
    reason: str


class RefundedPieces(GivenBack):
    """Pieces of one line whose money goes back, and what they are worth together."""

    amount_minor: int


class ClaimedPieces(GivenBack):
    """Pieces of one line that go in one parcel."""

    kind: str


class Pieces(TypedDict):
    """Pieces of one SKU."""

    sku: str
    quantity: int


class AdjustedPieces(Pieces):
    """Pieces found or written off."""

    reason: str


class CreditedPieces(Pieces):
    """Pieces of a credit note, and what they are worth."""

    amount_minor: int


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


@dataclass(frozen=True, kw_only=True)
class RefundRequestEvent(Event):
    """What every fact about one request for a refund says. Its stream is that of `request_id`."""

    request_id: UUID
    order_id: UUID
    shop_id: UUID
    amount_minor: int
    currency: str


@register_event("orders.RefundAsked", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundAsked(RefundRequestEvent):
    """Somebody wants money of an order to go back. With `needs_approval` a second person decides first.

    A line is {position, sku, quantity, amount_minor}; there is none if an amount was asked for. Who asked and why is
    in the metadata.
    """

    lines: tuple[Annotated[dict[str, Any], RefundedPieces], ...]
    needs_approval: bool


@register_event("orders.RefundApproved", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundApproved(RefundRequestEvent):
    """A second person said yes; saga `saga_id` pays it back."""

    saga_id: UUID


@register_event("orders.RefundDeclined", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundDeclined(RefundRequestEvent):
    """A second person said no. Nothing moves. Final."""

    reason: str


@register_event("orders.RefundEnded", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundEnded(RefundRequestEvent):
    """Its saga is through: `refunded_minor` was paid back, `credited_minor` is credit, `owed_minor` is still owed."""

    refunded_minor: int
    credited_minor: int
    owed_minor: int


@dataclass(frozen=True, kw_only=True)
class FulfilmentOrderEvent(Event):
    """What every fact about one parcel of an order says. Its stream is that of `fulfilment_order_id`."""

    fulfilment_order_id: UUID
    order_id: UUID
    shop_id: UUID


@register_event("orders.ParcelAsked", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ParcelAsked(FulfilmentOrderEvent):
    """Somebody wants these pieces to go in one parcel; saga `saga_id` buys its label and takes its share.

    A line is {position, sku, kind, quantity}: the pieces are in no other parcel. `share_minor` is its part of the
    order's total. Who asked and why is in the metadata.
    """

    number: int
    lines: tuple[Annotated[dict[str, Any], ClaimedPieces], ...]
    share_minor: int
    currency: str
    saga_id: UUID


@register_event("orders.ParcelReady", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ParcelReady(FulfilmentOrderEvent):
    """Its share is ours: the carrier may take shipment `shipment_id`."""

    shipment_id: UUID


@register_event("orders.ParcelGivenUp", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ParcelGivenUp(FulfilmentOrderEvent):
    """Its label or its share was refused. Nothing was taken for it; its pieces may go in another. Final."""

    code: str


@register_event("orders.ParcelCancelAsked", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ParcelCancelAsked(FulfilmentOrderEvent):
    """Nobody is to ship these pieces: of a parcel that has not left, or, as its first event, of none at all.

    A line is {position, sku, kind, quantity}. `share_minor` is what they are worth of the order's total; saga `saga_id`
    gives back what was done for them. Who asked and why is in the metadata.
    """

    number: int
    lines: tuple[Annotated[dict[str, Any], ClaimedPieces], ...]
    share_minor: int
    currency: str
    saga_id: UUID


@register_event("orders.ParcelCancelled", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ParcelCancelled(FulfilmentOrderEvent):
    """Its pieces are cancelled. `refund_minor` had been taken for them and was given back or is owed. Final."""

    refund_minor: int


@register_event("orders.ParcelKept", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ParcelKept(FulfilmentOrderEvent):
    """It was not cancelled after all: the carrier has it, or somebody thought better of it."""

    code: str


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


@register_event("orders.OpeningStockImported")
@dataclass(frozen=True, kw_only=True)
class OpeningStockImported(Event):
    """Goods that stood on the shelf before the first imported order. An item is {sku, quantity}."""

    shop_id: UUID
    batch: str
    location: str
    items: tuple[Annotated[dict[str, Any], Pieces], ...]


@register_event("orders.StockAdjustmentImported")
@dataclass(frozen=True, kw_only=True)
class StockAdjustmentImported(Event):
    """Pieces found (above zero) or written off (below zero). An item is {sku, quantity, reason}."""

    shop_id: UUID
    reference: str
    location: str
    items: tuple[Annotated[dict[str, Any], AdjustedPieces], ...]


@register_event("orders.CreditNoteImported")
@dataclass(frozen=True, kw_only=True)
class CreditNoteImported(Event):
    """A shop's credit note for one order, or for none (`order_id` None: money and goods without an order).

    `kind` is cancellation, return or allowance. A line is {sku, quantity, amount_minor}.
    """

    credit_note_id: UUID
    shop_id: UUID
    reference: str
    order_id: UUID | None
    kind: str
    currency: str
    amount_minor: int
    lines: tuple[Annotated[dict[str, Any], CreditedPieces], ...]


@register_event("orders.CreditNoteApplied", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class CreditNoteApplied(Event):
    """What became of a credit note: `refund_minor` was paid back, `credit_minor` is owed to the customer."""

    credit_note_id: UUID
    shop_id: UUID
    order_id: UUID | None
    outcome: str
    refund_minor: int
    credit_minor: int


@dataclass(frozen=True, kw_only=True)
class ReturnEvent(OrderEvent):
    """What every fact about one return says. Its stream is `return_id`; `number` counts the returns of an order."""

    return_id: UUID
    number: int


@register_event("orders.ReturnRequested", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ReturnRequested(ReturnEvent):
    """Pieces are to come back until `due_at`; saga `saga_id` waits for them. A line is {position, sku, quantity}.

    `origin` is shop, staff, cancellation (of what had been handed over) or carrier (a parcel that came back).
    `late` says that a person let it pass after the time for returns.
    """

    saga_id: UUID
    origin: str
    reason: str
    late: bool
    due_at: datetime
    lines: tuple[Annotated[dict[str, Any], GivenBack], ...]


@register_event("orders.ReturnReceived", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ReturnReceived(ReturnEvent):
    """This came, whatever had been asked: pieces of lines of the order, and `unexpected` ones that are none of it."""

    lines: tuple[Annotated[dict[str, Any], GivenBack], ...]
    unexpected: tuple[Annotated[dict[str, Any], Pieces], ...]


@register_event("orders.ReturnInspected", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ReturnInspected(ReturnEvent):
    """A person has decided, line by line. A line is {position, sku, accepted, rejected, restock, reason}."""

    lines: tuple[Annotated[dict[str, Any], Inspected], ...]


@register_event("orders.ReturnWithdrawn", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ReturnWithdrawn(ReturnEvent):
    """Nothing comes of it and nothing was refunded. Final."""

    code: str


@register_event("orders.ReturnClosed", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ReturnClosed(ReturnEvent):
    """The accepted pieces are counted as returned; `refund_minor` was paid back and `credit_minor` is owed. Final."""

    lines: tuple[Annotated[dict[str, Any], GivenBack], ...]
    refund_minor: int
    credit_minor: int
