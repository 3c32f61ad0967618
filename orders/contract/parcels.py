"""What happens to one parcel of an order that is shipped in parcels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from orders.contract.shapes import ClaimedPieces
from sagas.events import Event, register_event


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
