"""A carrier over HTTP: the sandbox, or whoever speaks the same protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote

from sagas.resilience.asking import Asking, error_of, unreadable
from sagas.resilience.http import Answer, HttpClient
from sagas.verdicts import Refused, Unavailable, Unknown
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

PDF = "application/pdf"
QUOTES = "/carrier/v1/quotes"
SHIPMENTS, PICKUPS, DELIVERIES = "/carrier/v1/shipments", "/carrier/v1/pickups", "/carrier/v1/deliveries"
NOES: Mapping[str, str] = {
    "not_found": base.NOT_FOUND,
    "already_picked_up": base.ALREADY_PICKED_UP,
    "label_void": base.LABEL_VOID,
    "country_not_served": base.COUNTRY_NOT_SERVED,
    "address_invalid": base.ADDRESS_INVALID,
    "service_not_available": base.SERVICE_NOT_AVAILABLE,
}

T = TypeVar("T")


class HttpCarrier:
    """See `Carrier` and `Deliverer` for its promises."""

    def __init__(self, client: HttpClient, asking: Asking | None = None) -> None:
        self._client = client
        self._asking = asking or Asking("shipping")

    def quote(self, request: base.QuoteShipment) -> tuple[Quote, ...] | Refused | Unavailable:
        body = {"ship_to": dict(request.ship_to), "units": request.units, "parcels": request.parcels}
        answer = self._asking.read(
            lambda: self._client.post_json(
                QUOTES, body, operation="quote", correlation_id=request.correlation_id
            )
        )
        return known(understood(answer, read_quotes) if isinstance(answer, Answer) else answer)

    def book(self, request: base.BookShipment) -> ShipmentResult:
        body = {
            "reference": request.reference, "ship_to": dict(request.ship_to), "units": request.units,
            "parcels": request.parcels, "service": request.service, "metadata": {"key": str(request.key)},
        }  # fmt: skip
        answer = self._post("book", SHIPMENTS, body, f"{request.key}:book", request.correlation_id)
        return understood(answer, read_shipment) if isinstance(answer, Answer) else answer

    def cancel(self, request: base.CancelShipment) -> ShipmentResult:
        path = f"{SHIPMENTS}/{quote(request.shipment_id, safe='')}/cancel"
        answer = self._post("cancel_shipment", path, {}, f"{request.key}:cancel", request.correlation_id)
        if not isinstance(answer, Answer):
            return answer
        if error_of(answer).get("code") == "already_cancelled":
            return understood(Answer(200, error_of(answer).get("shipment")), read_shipment)
        return understood(answer, read_shipment)

    def retrieve(
        self, shipment_id: str, *, correlation_id: str = ""
    ) -> CarrierShipment | Refused | Unavailable:
        path = f"{SHIPMENTS}/{quote(shipment_id, safe='')}"
        answer = self._get("retrieve", path, {}, correlation_id)
        return known(understood(answer, read_shipment) if isinstance(answer, Answer) else answer)

    def label(self, shipment_id: str, *, correlation_id: str = "") -> LabelFile | Refused | Unavailable:
        path = f"{SHIPMENTS}/{quote(shipment_id, safe='')}/label"
        answer = self._asking.read(
            lambda: self._client.fetch(path, operation="label", accept=PDF, correlation_id=correlation_id)
        )
        if not isinstance(answer, Answer):
            return answer
        return known(understood(answer, lambda _: read_label(answer)))

    def track(self, shipment_id: str, *, correlation_id: str = "") -> Tracking | Refused | Unavailable:
        path = f"{SHIPMENTS}/{quote(shipment_id, safe='')}/tracking"
        answer = self._get("track", path, {}, correlation_id)
        return known(understood(answer, read_tracking) if isinstance(answer, Answer) else answer)

    def find_by_reference(
        self, reference: str, *, correlation_id: str = ""
    ) -> tuple[CarrierShipment, ...] | Unavailable:
        found: list[CarrierShipment] = []
        after: str | None = None
        while True:
            page = self._page({"reference": reference, "limit": 100, "cursor": after}, correlation_id)
            if not isinstance(page, ShipmentPage):
                return page
            found.extend(page.items)
            if page.next is None:
                return tuple(found)
            after = page.next

    def list_shipments(self, *, after: str | None = None, limit: int = 100) -> ShipmentPage | Unavailable:
        return self._page({"limit": limit, "cursor": after}, "")

    def pick_up(self, request: base.MoveParcels) -> MovedResult:
        return self._move("pick_up", PICKUPS, request)

    def deliver(self, request: base.MoveParcels) -> MovedResult:
        return self._move("deliver", DELIVERIES, request)

    def _move(self, operation: str, path: str, request: base.MoveParcels) -> MovedResult:
        which = {"shipments": list(request.shipment_ids)} if request.shipment_ids else {"all": True}
        body = {**which, "limit": request.limit}
        answer = self._post(operation, path, body, f"{request.key}:{operation}", request.correlation_id)
        return understood(answer, read_moved) if isinstance(answer, Answer) else answer

    def _page(self, query: Mapping[str, Any], correlation_id: str) -> ShipmentPage | Unavailable:
        answer = self._get("list", SHIPMENTS, query, correlation_id)
        if not isinstance(answer, Answer):
            return answer
        page = understood(answer, read_page)
        return page if isinstance(page, ShipmentPage) else Unavailable(page.code, page.detail)

    def _post(
        self, operation: str, path: str, body: Mapping[str, Any], key: str, correlation_id: str
    ) -> Answer | Unavailable | Unknown:
        return self._asking.act(
            lambda: self._client.post_json(
                path, body, operation=operation, key=key, correlation_id=correlation_id
            )
        )

    def _get(
        self, operation: str, path: str, query: Mapping[str, Any], correlation_id: str
    ) -> Answer | Unavailable:
        return self._asking.read(
            lambda: self._client.get(path, operation=operation, query=query, correlation_id=correlation_id)
        )


def understood(answer: Answer, read: Callable[[Any], T]) -> T | Refused | Unknown:
    """The answer in our words. A 2xx that cannot be read is an unknown outcome, not an error."""
    if not answer.ok:
        error = error_of(answer)
        code = str(error.get("code", ""))
        if code == "address_unknown":
            return base.AddressUnknown(str(error.get("field", "")))
        return Refused(NOES.get(code, base.CARRIER_REFUSED), code or f"HTTP {answer.status}")
    try:
        return read(answer.json)
    except (KeyError, TypeError, ValueError) as error:
        return unreadable("shipping", error)


def read_shipment(body: Any) -> CarrierShipment:
    """A shipment as JSON. Raises KeyError, TypeError or ValueError when it is not one we understand."""
    return CarrierShipment(
        id=str(body["id"]),
        reference=str(body["reference"]),
        status=CarrierStatus(body["status"]),
        tracking_number=str(body["tracking_number"]),
        label_url=str(body["label_url"]),
        price_minor=int(body["price_minor"]),
        key=str(body["metadata"].get("key", "")),
    )


def known(result: T | Refused | Unavailable | Unknown) -> T | Refused | Unavailable:
    """What a read found. What cannot be understood is asked again: a read changes nothing."""
    return Unavailable(result.code, result.detail) if isinstance(result, Unknown) else result


def read_quotes(body: Any) -> tuple[Quote, ...]:
    """Quotes as JSON, the cheapest first."""
    found = [
        Quote(
            service=str(one["service"]), price_minor=int(one["price_minor"]), currency=str(one["currency"]),
            days=int(one["days"]),
        )
        for one in body["data"]
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: (one.price_minor, one.service)))


def read_label(answer: Answer) -> LabelFile:
    """A label that was fetched. Raises ValueError when it is no PDF."""
    if not answer.body.startswith(b"%PDF-"):
        raise ValueError("the label is no PDF")
    return LabelFile(answer.body, PDF)


def read_tracking(body: Any) -> Tracking:
    """Tracking as JSON. Moments are seconds since the epoch."""
    scans = [
        Scan(status=CarrierStatus(one["status"]), at=datetime.fromtimestamp(one["at"], UTC))
        for one in body["scans"]
    ]
    return Tracking(
        shipment_id=str(body["id"]), status=CarrierStatus(body["status"]),
        scans=tuple(sorted(scans, key=lambda scan: scan.at)),
    )  # fmt: skip


def read_page(body: Any) -> ShipmentPage:
    """A page of shipments as JSON."""
    return ShipmentPage(tuple(read_shipment(item) for item in body["data"]), body["next_cursor"])


def read_moved(body: Any) -> tuple[Moved, ...]:
    """The parcels a pick-up or delivery names."""
    return tuple(Moved(str(one["id"]), str(one["reference"])) for one in body["data"])
