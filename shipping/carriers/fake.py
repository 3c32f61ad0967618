"""A carrier in memory that keeps the promises of the real one; one conformance suite runs on both."""

# ruff: noqa: ARG002 - a fake has no use for correlation ids

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import count

from sagas.resilience.fakes import FakeProvider, Trouble
from sagas.verdicts import Refused, Unavailable
from shipping.carriers import base
from shipping.carriers.base import (
    CarrierShipment,
    CarrierStatus,
    LabelFile,
    Moved,
    MovedResult,
    Quote,
    Scan,
    ShipmentPage,
    ShipmentResult,
    Tracking,
)

REACHED = {
    CarrierStatus.IN_TRANSIT: {CarrierStatus.IN_TRANSIT, CarrierStatus.DELIVERED},
    CarrierStatus.DELIVERED: {CarrierStatus.DELIVERED},
}


#: Nobody lives where a postcode begins like this, in whatever country.
NOWHERE = "00000"


def wrong_with(ship_to: Mapping[str, str]) -> Refused | None:
    """Why nothing can be sent there, if so."""
    if not ship_to.get("country"):
        return Refused(base.ADDRESS_INVALID, "address_invalid")
    return base.AddressUnknown("postcode") if ship_to.get("postcode", "").startswith(NOWHERE) else None


class FakeCarrier(FakeProvider):
    """Scripts use the sandbox's words: `fake.script("book", "A-1", "refuse", code="country_not_served")`."""

    def __init__(self) -> None:
        super().__init__("shipping")
        self._shipments: dict[str, CarrierShipment] = {}
        self._scans: dict[str, list[Scan]] = {}
        self._numbers = count(1)

    def refusal(self, trouble: Trouble) -> Refused:
        if trouble.code == "address_unknown":
            return base.AddressUnknown(str(trouble.params.get("field", "")))
        return super().refusal(trouble)

    def quote(self, request: base.QuoteShipment) -> tuple[Quote, ...] | Refused | Unavailable:
        if wrong := wrong_with(request.ship_to):
            return wrong
        price = 395 * request.parcels + 2 * request.units
        return (
            Quote(service="standard", price_minor=price, currency="EUR", days=3),
            Quote(service="express", price_minor=2 * price, currency="EUR", days=1),
        )

    def book(self, request: base.BookShipment) -> ShipmentResult:
        def do(_: Trouble | None) -> CarrierShipment | Refused:
            if wrong := wrong_with(request.ship_to):
                return wrong
            self.note(request.reference, "labels")
            return self._keep(self._new(request))

        body = (request.reference, tuple(sorted(request.ship_to.items())), request.units, request.parcels)
        return self.act("book", request.reference, str(request.key), body, do)

    def cancel(self, request: base.CancelShipment) -> ShipmentResult:
        found = self._shipments.get(request.shipment_id)
        if found is None:
            return Refused(base.NOT_FOUND, "not_found")

        def do(_: Trouble | None) -> CarrierShipment | Refused:
            shipment = self._shipments[request.shipment_id]
            if shipment.status == CarrierStatus.CANCELLED:
                return shipment
            if shipment.status != CarrierStatus.BOOKED:
                return Refused(base.ALREADY_PICKED_UP, "already_picked_up")
            self.note(shipment.reference, "cancellations")
            return self._keep(replace(shipment, status=CarrierStatus.CANCELLED))

        return self.act("cancel_shipment", found.reference, str(request.key), request.shipment_id, do)

    def retrieve(
        self, shipment_id: str, *, correlation_id: str = ""
    ) -> CarrierShipment | Refused | Unavailable:
        return self._shipments.get(shipment_id) or Refused(base.NOT_FOUND, "not_found")

    def label(self, shipment_id: str, *, correlation_id: str = "") -> LabelFile | Refused | Unavailable:
        found = self._shipments.get(shipment_id)
        if found is None:
            return Refused(base.NOT_FOUND, "not_found")
        if found.status == CarrierStatus.CANCELLED:
            return Refused(base.LABEL_VOID, "label_void")
        return LabelFile(b"%PDF-1.4\n% " + found.tracking_number.encode() + b"\n%%EOF\n", "application/pdf")

    def track(self, shipment_id: str, *, correlation_id: str = "") -> Tracking | Refused | Unavailable:
        found = self._shipments.get(shipment_id)
        if found is None:
            return Refused(base.NOT_FOUND, "not_found")
        return Tracking(
            shipment_id=shipment_id, status=found.status, scans=tuple(self._scans.get(shipment_id, ()))
        )

    def scan(self, shipment_id: str, status: CarrierStatus, at: datetime) -> None:
        """Something happens to a parcel. The newest scan is where it stands."""
        scans = self._scans.setdefault(shipment_id, [])
        scans.append(Scan(status=status, at=at))
        scans.sort(key=lambda scan: scan.at)
        self._shipments[shipment_id] = replace(self._shipments[shipment_id], status=scans[-1].status)

    def find_by_reference(
        self, reference: str, *, correlation_id: str = ""
    ) -> tuple[CarrierShipment, ...] | Unavailable:
        return tuple(one for one in self._newest_first() if one.reference == reference)

    def list_shipments(self, *, after: str | None = None, limit: int = 100) -> ShipmentPage | Unavailable:
        newest = self._newest_first()
        begin = int(after or 0)
        following = str(begin + limit) if begin + limit < len(newest) else None
        return ShipmentPage(tuple(newest[begin : begin + limit]), following)

    def pick_up(self, request: base.MoveParcels) -> MovedResult:
        return self._move("pickups", CarrierStatus.BOOKED, CarrierStatus.IN_TRANSIT, request)

    def deliver(self, request: base.MoveParcels) -> MovedResult:
        return self._move("deliveries", CarrierStatus.IN_TRANSIT, CarrierStatus.DELIVERED, request)

    def _move(
        self, operation: str, begin: CarrierStatus, end: CarrierStatus, request: base.MoveParcels
    ) -> MovedResult:
        def do(_: Trouble | None) -> tuple[Moved, ...]:
            chosen = self._chosen(begin, request)
            for shipment in chosen:
                if shipment.status == begin:
                    self.note(shipment.reference, operation)
                    self._keep(replace(shipment, status=end))
            there = (self._shipments[one.id] for one in chosen)
            return tuple(Moved(one.id, one.reference) for one in there if one.status in REACHED[end])

        body = (tuple(request.shipment_ids), request.limit)
        return self.act(operation, "", str(request.key), body, do)

    def _chosen(self, begin: CarrierStatus, request: base.MoveParcels) -> list[CarrierShipment]:
        if request.shipment_ids:
            return [self._shipments[one] for one in request.shipment_ids if one in self._shipments]
        return [one for one in self._shipments.values() if one.status == begin][: request.limit]

    def _new(self, request: base.BookShipment) -> CarrierShipment:
        number = next(self._numbers)
        return CarrierShipment(
            id=f"shp_{number}",
            reference=request.reference,
            status=CarrierStatus.BOOKED,
            tracking_number=f"FAKE{number:08}",
            label_url=f"https://carrier.invalid/labels/shp_{number}",
            price_minor=395,
            key=str(request.key),
        )

    def _keep(self, shipment: CarrierShipment) -> CarrierShipment:
        self._shipments[shipment.id] = shipment
        return shipment

    def _newest_first(self) -> list[CarrierShipment]:
        return list(reversed(self._shipments.values()))
