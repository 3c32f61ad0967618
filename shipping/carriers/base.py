"""What every carrier promises, whoever the vendor.

A booking is one paid label. Every act takes the step's idempotency key: a repeat with the same key has one
effect and one answer; the adapter makes a key of its own for each kind of act. One key for two different
requests of a kind raises `KeyReused`, which is a bug.

Answers are values: the shipment as it stands, or `Refused` (a no), `Unavailable` (nothing was done, try
later), `Unknown` (ask by `find_by_reference`, which is complete, before anything else). A refused booking has
the carrier's own word in our code: `shipping.country_not_served`, `shipping.address_invalid`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from sagas.verdicts import Refused, Unavailable, Unknown

NOT_FOUND = "shipping.not_found"
ALREADY_PICKED_UP = "shipping.already_picked_up"
COUNTRY_NOT_SERVED = "shipping.country_not_served"
ADDRESS_INVALID = "shipping.address_invalid"
SERVICE_NOT_AVAILABLE = "shipping.service_not_available"
CARRIER_REFUSED = "shipping.carrier_refused"  # any other no; the detail has the vendor's word
MOST_MOVED = 1000


class CarrierStatus(StrEnum):
    """Where a parcel stands at the carrier."""

    BOOKED = "booked"
    CANCELLED = "cancelled"
    IN_TRANSIT = "in_transit"
    DELIVERED = "delivered"


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

    def book(self, request: BookShipment) -> ShipmentResult:
        """Buy one label. Refused: country not served, address invalid, service not available."""
        ...

    def cancel(self, request: CancelShipment) -> ShipmentResult:
        """Give the label back. Refused with `shipping.already_picked_up` when too late. Safe to repeat."""
        ...

    def retrieve(
        self, shipment_id: str, *, correlation_id: str = ""
    ) -> CarrierShipment | Refused | Unavailable:
        """The shipment as it stands now. Refused with `shipping.not_found`."""
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
