"""Shipping promises: one paid label for one parcel, and a parcel is either on its way or was never sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypedDict
from uuid import UUID

from sagas.events import Event, register_event

BOOK_SHIPMENT = "shipping.book_shipment"
CANCEL_SHIPMENT = "shipping.cancel_shipment"
WITHDRAW_SHIPMENT = "shipping.withdraw_shipment"
CLEAR_PARCEL = "shipping.clear_parcel"

ALREADY_CANCELLED = "shipping.already_cancelled"
ALREADY_HANDED_OVER = "shipping.already_handed_over"
NO_SUCH_SHIPMENT = "shipping.no_such_shipment"
CANCELLED = "shipping.cancelled"
#: What a booking waits for when the carrier does not find the address.
ADDRESS_TO_CORRECT = "shipping.address_to_correct"
#: The carrier does not find the address as it was written.
ADDRESS_UNKNOWN = "shipping.address_unknown"


class PackedPieces(TypedDict):
    """Pieces of one SKU in a parcel."""

    sku: str
    quantity: int


@dataclass(frozen=True, kw_only=True)
class ShipmentEvent(Event):
    """What every fact about one shipment says. Its stream is `shipment_id`."""

    shipment_id: UUID
    order_id: UUID
    shop_id: UUID


@register_event("shipping.ShipmentBooked", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ShipmentBooked(ShipmentEvent):
    """The carrier has sold us a label. `lines`: sku, quantity."""

    tracking: str
    lines: list[Annotated[dict[str, Any], PackedPieces]]


@register_event("shipping.ShipmentRefused", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ShipmentRefused(ShipmentEvent):
    """The carrier will not take this parcel."""

    code: str


@register_event("shipping.ShipmentAddressRefused", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ShipmentAddressRefused(ShipmentEvent):
    """The carrier does not find the address: nothing was bought. A person may correct it `until` then.

    `field` is the part that is wrong (street, postcode, city, ..), empty when the carrier does not say. What is
    written there stands in no event.
    """

    code: str
    field: str
    until: datetime


@register_event("shipping.ShipmentUnknown")
@dataclass(frozen=True, kw_only=True)
class ShipmentUnknown(ShipmentEvent):
    """The carrier may have sold us a label; it has to be asked."""

    code: str


@register_event("shipping.ShipmentCancelled", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ShipmentCancelled(ShipmentEvent):
    """The label is void; nothing will be sent with it."""

    reason: str


@register_event("shipping.ShipmentWithdrawn", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ShipmentWithdrawn(ShipmentEvent):
    """Part of the parcel will not be sent. `lines` is what was taken out; the label stays."""

    lines: list[Annotated[dict[str, Any], PackedPieces]]


@register_event("shipping.ShipmentHandedOver", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ShipmentHandedOver(ShipmentEvent):
    """The carrier has the parcel. `lines` is what is in it: sku, quantity."""

    lines: list[Annotated[dict[str, Any], PackedPieces]]


@register_event("shipping.ShipmentProgressed", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ShipmentProgressed(ShipmentEvent):
    """The carrier told how far the parcel has come. `happened_at` is by the carrier's clock.

    `progress`: in_transit, out_for_delivery, delayed, ready_for_pickup, delivery_failed or return_to_sender.
    """

    progress: str
    happened_at: datetime


@register_event("shipping.ShipmentLost", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ShipmentLost(ShipmentEvent):
    """The carrier does not know where the parcel is. It may still turn up. `happened_at` is by the carrier's clock."""

    happened_at: datetime


@register_event("shipping.ShipmentReturned", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ShipmentReturned(ShipmentEvent):
    """The carrier brought the parcel back. `lines` is what is in it; whether it goes on the shelf a person decides."""

    lines: list[Annotated[dict[str, Any], PackedPieces]]


@register_event("shipping.ShipmentDelivered", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ShipmentDelivered(ShipmentEvent):
    """The customer has the parcel."""
