"""What payments does when other apps have something to say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from inventory.contract import StockRefused
from orders import contract as orders
from payments import contract
from payments.commands import owing
from sagas import choreography
from sagas.bus import subscription
from sagas.choreography import GiveBack, TakeOn
from sagas.events import Event
from sagas.log import Recorded
from shipping.contract import ShipmentBooked, ShipmentRefused


@subscription("payments.credit_notes", of=(orders.CreditNoteImported,))
def on_credit_notes(*, events: Sequence[Recorded], now: datetime) -> None:
    """A credit note without an order is owed to the customer. Those with one are refunded by their saga."""
    notes = [(r, r.event) for r in events if isinstance(r.event, orders.CreditNoteImported)]
    owed = [_owed(recorded, note) for recorded, note in notes if note.order_id is None]
    owing.owe(owed, now=now)


@subscription(
    "payments.fulfilment",
    of=(
        orders.OrderPlaced, ShipmentBooked,
        StockRefused, ShipmentRefused,
        contract.PaymentDeclined, contract.CaptureFailed, contract.PaymentExpired,
        orders.CancellationRequested,
    ),
    part=True,
)  # fmt: skip
def on_fulfilment(*, events: Sequence[Recorded], now: datetime) -> None:
    """Payments' part in a choreographed order: money is held first, and taken once there is a label."""
    choreography.act([act for recorded in events for act in part_of(recorded.event)], now=now)


def part_of(event: Event) -> Iterable[TakeOn | GiveBack]:
    """What one event makes payments do."""
    undo = contract.VOID_AUTHORIZATION
    match event:
        case orders.OrderPlaced(order_id=order, fulfilment=orders.CHOREOGRAPHY):
            yield TakeOn(order, contract.AUTHORIZE_PAYMENT)
        case ShipmentBooked(order_id=order):
            yield TakeOn(order, contract.CAPTURE_PAYMENT)
        case (
            StockRefused()
            | ShipmentRefused()
            | contract.PaymentDeclined()  # its own no as well: another try may be out there
            | contract.CaptureFailed()
            | contract.PaymentExpired()
        ):
            yield GiveBack(event.order_id, undo)
        case orders.CancellationRequested(order_id=order, whole=True, reason=reason, saga_id=saga):
            yield GiveBack(order, undo, "intent", reason, saga_id=saga)


def _owed(recorded: Recorded, note: orders.CreditNoteImported) -> owing.Owed:
    return owing.Owed(
        source_id=note.credit_note_id, shop_id=note.shop_id, order_id=None, payment_id=None,
        amount_minor=note.amount_minor, currency=note.currency,
        correlation_id=str(recorded.metadata.get("correlation_id", "")),
    )  # fmt: skip
