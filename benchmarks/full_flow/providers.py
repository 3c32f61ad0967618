"""A gateway and a carrier inside the process that say yes and remember nothing: what they cost is next to nothing.

All that a later call has to know of a payment is in its id, so that any worker process may go on with it. What the
flow of an order that goes well never asks is answered by the fakes they come from, which know of nothing.
"""

from __future__ import annotations

from uuid import UUID

from payments.gateways import base as payments
from payments.gateways.base import Intent, IntentResult, IntentStatus
from payments.gateways.fake import FakeGateway
from shipping.carriers import base as shipping
from shipping.carriers.base import CarrierShipment, CarrierStatus, ShipmentResult
from shipping.carriers.fake import FakeCarrier

PRICE_MINOR = 395


def intent_id(key: UUID, amount_minor: int, currency: str) -> str:
    """The gateway's name of a payment: who asked for it, and for how much."""
    return f"pi_{key.hex}.{amount_minor}.{currency}"


def label_id(key: UUID) -> str:
    """The carrier's name of a parcel."""
    return f"shp_{key.hex}"


def tracking_number(key: UUID) -> str:
    """What the customer follows a parcel by."""
    return f"YES{key.hex[:12]}"


class YesGateway(FakeGateway):
    """Holds and takes whatever is asked."""

    def create(self, request: payments.CreateIntent) -> IntentResult:
        return _intent(
            intent_id(request.key, request.amount_minor, request.currency), IntentStatus.UNCONFIRMED
        )

    def confirm(self, request: payments.ConfirmIntent) -> IntentResult:
        return _intent(request.intent_id, IntentStatus.AUTHORIZED)

    def capture(self, request: payments.CaptureIntent) -> IntentResult:
        return _intent(request.intent_id, IntentStatus.CAPTURED)


class YesCarrier(FakeCarrier):
    """Sells a label for whatever is to be sent."""

    def book(self, request: shipping.BookShipment) -> ShipmentResult:
        return CarrierShipment(
            id=label_id(request.key), reference=request.reference, status=CarrierStatus.BOOKED,
            tracking_number=tracking_number(request.key), label_url="", price_minor=PRICE_MINOR,
            key=str(request.key),
        )  # fmt: skip


def _intent(name: str, status: IntentStatus) -> Intent:
    key, amount, currency = name.removeprefix("pi_").split(".")
    held = int(amount) if status == IntentStatus.AUTHORIZED else 0
    taken = int(amount) if status == IntentStatus.CAPTURED else 0
    return Intent(
        id=name, status=status, amount_minor=int(amount), currency=currency, capturable_minor=held,
        captured_minor=taken, reference="", key=str(UUID(key)),
    )  # fmt: skip
