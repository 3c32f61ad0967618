"""What every carrier promises, whoever the vendor.

A booking is one paid label. Every act takes the step's idempotency key: a repeat with the same key has one
effect and one answer; the adapter makes a key of its own for each kind of act. One key for two different
requests of a kind raises `KeyReused`, which is a bug.

Answers are values: the shipment as it stands, or `Refused` (a no), `Unavailable` (nothing was done, try
later), `Unknown` (ask by `find_by_reference`, which is complete, before anything else). A refused booking has
the carrier's own word in our code: `shipping.country_not_served`, `shipping.address_invalid`. One is an
`AddressUnknown`: the carrier would go there, but does not find the address as it was written. It can be corrected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from sagas.verdicts import Refused, Unavailable, Unknown
from shipping.contract import ADDRESS_UNKNOWN

NOT_FOUND = "shipping.not_found"
ALREADY_PICKED_UP = "shipping.already_picked_up"
LABEL_VOID = "shipping.label_void"
COUNTRY_NOT_SERVED = "shipping.country_not_served"
ADDRESS_INVALID = "shipping.address_invalid"
SERVICE_NOT_AVAILABLE = "shipping.service_not_available"
CARRIER_REFUSED = "shipping.carrier_refused"  # any other no; the detail has the vendor's word
MOST_MOVED = 1000
#: The parts of an address that a carrier may find wrong, as a booking names them.
ADDRESS_FIELDS = frozenset({"name", "street", "street_2", "postcode", "city", "region"})


class AddressUnknown(Refused):
    """There is no such address as far as the carrier knows. `field` of it is wrong; empty when it does not say.

    `field` is one of `ADDRESS_FIELDS`: what is wrong, never what was written there.
    """

    code = ADDRESS_UNKNOWN

    def __init__(self, field: str = "") -> None:
        self.field = field if field in ADDRESS_FIELDS else ""
        super().__init__(detail=self.field)


class CarrierStatus(StrEnum):
    """Where a parcel stands at the carrier."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELAYED = "delayed"
    READY_FOR_PICKUP = "ready_for_pickup"  #: It waits for the customer at a counter.
    DELIVERY_FAILED = "delivery_failed"  #: Nobody was there; it will be tried again, or sent back.
    RETURN_TO_SENDER = "return_to_sender"  #: On its way back to us.
    RETURNED = "returned"  #: Back with us.
    LOST = "lost"
    DELIVERED = "delivered"


#: Where the carrier has the parcel and it has not come to its end.
ON_ITS_WAY = frozenset({
    CarrierStatus.IN_TRANSIT, CarrierStatus.OUT_FOR_DELIVERY, CarrierStatus.DELAYED, CarrierStatus.READY_FOR_PICKUP,
    CarrierStatus.DELIVERY_FAILED, CarrierStatus.RETURN_TO_SENDER,
})  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class BookShipment:
    """A parcel to be sent. `reference` is the shop's own name of the order; `units` are pieces of goods."""

    key: UUID
    reference: str
    ship_to: Mapping[str, str]
    units: int
    parcels: int = 1
    service: str = "standard"
    correlation_id: str = ""


@dataclass(frozen=True, kw_only=True)
class CancelShipment:
    """Give the label back, as long as the parcel has not left."""

    key: UUID
    shipment_id: str
    correlation_id: str = ""


@dataclass(frozen=True, kw_only=True)
class MoveParcels:
    """Collect or deliver these parcels, or, without ids, whatever is ready, oldest first, up to `limit`."""

    key: UUID
    shipment_ids: Sequence[str] = ()
    limit: int = MOST_MOVED
    correlation_id: str = ""


@dataclass(frozen=True, kw_only=True)
class CarrierShipment:
    """A shipment as the carrier has it. `key` is the step key it was booked with, empty when not ours."""

    id: str
    reference: str
    status: CarrierStatus
    tracking_number: str
    label_url: str
    price_minor: int
    key: str


@dataclass(frozen=True, kw_only=True)
class QuoteShipment:
    """What sending a parcel would cost. `units` are pieces of goods."""

    ship_to: Mapping[str, str]
    units: int
    parcels: int = 1
    correlation_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Quote:
    """One way to send it. `days` is how long it usually takes."""

    service: str
    price_minor: int
    currency: str
    days: int


@dataclass(frozen=True)
class LabelFile:
    """A label to print."""

    content: bytes
    media_type: str


@dataclass(frozen=True, kw_only=True)
class Scan:
    """One thing that happened to a parcel, by the carrier's clock."""

    status: CarrierStatus
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """What the carrier tells of one parcel, oldest scan first."""

    shipment_id: str
    status: CarrierStatus
    scans: tuple[Scan, ...]


@dataclass(frozen=True)
class Moved:
    """A parcel that is where it was to be moved to."""

    id: str
    reference: str


@dataclass(frozen=True)
class ShipmentPage:
    """One page of the listing, newest first. `next` goes on; None: that was all."""

    items: tuple[CarrierShipment, ...]
    next: str | None


ShipmentResult = CarrierShipment | Refused | Unavailable | Unknown
MovedResult = tuple[Moved, ...] | Refused | Unavailable | Unknown


class Carrier(Protocol):
    """One vendor. Thread-safe; never raises for what a vendor may say or fail to say."""

    def quote(self, request: QuoteShipment) -> tuple[Quote, ...] | Refused | Unavailable:
        """Ways to send a parcel, the cheapest first. Refused as a booking would be. Buys nothing."""
        ...

    def book(self, request: BookShipment) -> ShipmentResult:
        """Buy one label. Refused: country not served, address unknown or invalid, service not available."""
        ...

    def cancel(self, request: CancelShipment) -> ShipmentResult:
        """Give the label back. Refused with `shipping.already_picked_up` when too late. Safe to repeat."""
        ...

    def retrieve(
        self, shipment_id: str, *, correlation_id: str = ""
    ) -> CarrierShipment | Refused | Unavailable:
        """The shipment as it stands now. Refused with `shipping.not_found`."""
        ...

    def label(self, shipment_id: str, *, correlation_id: str = "") -> LabelFile | Refused | Unavailable:
        """The label as a PDF. Refused with `shipping.not_found`, or `shipping.label_void` when it was given back."""
        ...

    def track(self, shipment_id: str, *, correlation_id: str = "") -> Tracking | Refused | Unavailable:
        """What happened to the parcel. Refused with `shipping.not_found`."""
        ...

    def find_by_reference(
        self, reference: str, *, correlation_id: str = ""
    ) -> tuple[CarrierShipment, ...] | Unavailable:
        """All labels of an order, newest first. Complete: it settles a booking whose answer was lost."""
        ...

    def list_shipments(self, *, after: str | None = None, limit: int = 100) -> ShipmentPage | Unavailable:
        """A page of everything, for reconciliation."""
        ...

    def pick_up(self, request: MoveParcels) -> MovedResult:
        """The carrier collects booked parcels. The answer names those it has by now; safe to repeat."""
        ...


class Deliverer(Protocol):
    """A carrier that delivers when told to: the sandbox and the fake. A real one tells us by tracking."""

    def deliver(self, request: MoveParcels) -> MovedResult:
        """Deliver parcels in transit. The answer names those delivered by now; safe to repeat."""
        ...
