"""What each event changes on a row. A column is changed by events of one stream only.

So a row depends on how far each of its streams was taken in, and never on how the streams interleave.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from inventory import contract as inventory
from orders import contract as orders
from orders.read_side.row import OrderRow
from orders.states import held_for_a_bank
from payments import contract as payments
from shipping import contract as shipping

Applier = Callable[[OrderRow, Any, datetime], None]

# --- the order's own stream -------------------------------------------------------------------------------


def _placed(row: OrderRow, event: orders.OrderPlaced, at: datetime) -> None:
    row.shop_id, row.external_reference, row.person_id = (
        event.shop_id,
        event.external_reference,
        event.person_id,
    )
    row.currency, row.country = event.currency, event.country
    row.fulfilment = getattr(event, "fulfilment", "orchestration")
    row.total_minor, row.goods_minor, row.charges_minor = (
        event.total_minor,
        event.goods_minor,
        event.charges_minor,
    )
    row.charges = json.dumps(event.charges)
    goods = [line for line in event.lines if line["kind"] == orders.GOODS]
    row.pieces = sum([line["quantity"] for line in goods])
    row.skus = _array(sorted({line["sku"] for line in goods}))
    row.placed_at, row.received_at, row.saga_state = event.placed_at, at, "pending"
    row.placed_on = event.placed_at.astimezone(UTC).date()
    _move(row, "draft", at)


def _accepted(row: OrderRow, event: orders.OrderAccepted, at: datetime) -> None:
    row.saga_id, row.saga_state = event.saga_id, "running"
    _move(row, "pending", at)


def _confirmed(row: OrderRow, _: orders.OrderConfirmed, at: datetime) -> None:
    row.confirmed_at, row.saga_state = at, "completed"
    _move(row, "confirmed", at)
    _settle(row)


def _rejected(row: OrderRow, event: orders.OrderRejected, at: datetime) -> None:
    row.end_code = event.code
    _end(row, "rejected", at)


def _cancellation_requested(row: OrderRow, event: orders.CancellationRequested, at: datetime) -> None:
    if row.saga_id is None:
        row.saga_id = event.saga_id
    if event.whole:
        _move(row, "cancelling", at)
        if row.saga_state != "completed":
            row.saga_state = "compensating"


def _cancellation_lost(row: OrderRow, _: orders.CancellationLost, at: datetime) -> None:
    if row.state == "cancelling":
        _move(row, "confirmed", at)
    _settle(row)


def _cancelled(row: OrderRow, _: orders.OrderCancelled, at: datetime) -> None:
    _end(row, "cancelled", at)


def _lines_cancelled(row: OrderRow, event: orders.OrderLinesCancelled, _: datetime) -> None:
    row.cancelled_minor += event.amount_minor
    _settle(row)


def _processing(row: OrderRow, _: orders.OrderProcessing, at: datetime) -> None:
    _move(row, "processing", at)
    if row.on_hold:
        _clear(row)


def _completed(row: OrderRow, _: orders.OrderCompleted, at: datetime) -> None:
    _move(row, "completed", at)
    row.ended_at = at


def _goods_returned(row: OrderRow, event: orders.GoodsReturned, _: datetime) -> None:
    row.returned_minor += event.amount_minor
    _clear(row)


def _order_refunded(row: OrderRow, *_: Any) -> None:
    _settle(row)  # the amounts are told by the payment's events


def _needs_attention(row: OrderRow, event: orders.OrderNeedsAttention, _: datetime) -> None:
    row.needs_attention, row.attention_reason = True, event.reason
    row.on_hold, row.hold_reason = event.on_hold, event.reason if event.on_hold else ""


def _attention_cleared(row: OrderRow, *_: Any) -> None:
    _clear(row)


def _address_corrected(row: OrderRow, event: orders.AddressCorrected, _: datetime) -> None:
    row.person_id = event.person_id
    if row.attention_reason == shipping.ADDRESS_TO_CORRECT:
        _clear(row)


def _end(row: OrderRow, state: str, at: datetime) -> None:
    _move(row, state, at)
    row.ended_at = at
    if row.saga_state != "completed":
        row.saga_state = "compensated"
    _clear(row)


def _move(row: OrderRow, state: str, at: datetime) -> None:
    row.state, row.moved_at = state, at


def _settle(row: OrderRow) -> None:
    if not held_for_a_bank(row.hold_reason):
        _clear(row)


def _clear(row: OrderRow) -> None:
    row.needs_attention, row.attention_reason, row.on_hold, row.hold_reason = False, "", False, ""


def _array(texts: list[str]) -> str:
    """An array as PostgreSQL writes it."""
    return "{" + ",".join(['"' + t.replace("\\", "\\\\").replace('"', '\\"') + '"' for t in texts]) + "}"


# --- the payment's ----------------------------------------------------------------------------------------


def _authorized(row: OrderRow, event: payments.PaymentAuthorized, _: datetime) -> None:
    row.payment_state, row.authorized_minor = "authorized", event.amount_minor


def _captured(row: OrderRow, event: payments.PaymentCaptured, _: datetime) -> None:
    row.payment_state, row.captured_minor = "captured", event.amount_minor


def _share_captured(row: OrderRow, event: payments.ShareCaptured, _: datetime) -> None:
    row.captured_minor += event.amount_minor
    row.payment_state = "partly_refunded" if row.refunded_minor else "partly_captured"


def _rest_released(row: OrderRow, _: payments.RestReleased, __: datetime) -> None:
    if not row.refunded_minor:  # else it is said already that some of it went back
        row.payment_state = "captured"


def _refunded(row: OrderRow, event: payments.PaymentRefunded | payments.RefundRepaid, _: datetime) -> None:
    row.refunded_minor += event.amount_minor
    row.payment_state = "refunded" if row.refunded_minor >= row.captured_minor else "partly_refunded"


def _returned(row: OrderRow, event: payments.RefundReturned, _: datetime) -> None:
    row.refunded_minor -= event.amount_minor
    row.payment_state = "partly_refunded" if row.refunded_minor else "captured"


def _pays(state: str) -> Applier:
    def apply(row: OrderRow, _: Any, __: datetime) -> None:
        row.payment_state = state

    return apply


# --- the reservation's and the shipment's -----------------------------------------------------------------


def _stock(state: str) -> Applier:
    def apply(row: OrderRow, _: Any, __: datetime) -> None:
        row.stock_state = state

    return apply


def _released(row: OrderRow, event: inventory.StockReleased, _: datetime) -> None:
    if event.whole:
        row.stock_state = "expired" if event.reason == "expired" else "released"


def _consumed(row: OrderRow, event: inventory.StockConsumed, _: datetime) -> None:
    if event.whole:
        row.stock_state = "consumed"


def _ships(state: str) -> Applier:
    def apply(row: OrderRow, _: Any, __: datetime) -> None:
        row.shipment_state = state

    return apply


def _booked(row: OrderRow, event: shipping.ShipmentBooked, _: datetime) -> None:
    row.shipment_state, row.tracking = "label_bought", event.tracking


def _handed_over(row: OrderRow, _: shipping.ShipmentHandedOver, at: datetime) -> None:
    row.shipment_state, row.handed_over_at = "handed_over", at


def _progressed(row: OrderRow, event: shipping.ShipmentProgressed, _: datetime) -> None:
    row.shipment_state = event.progress


def _delivered(row: OrderRow, _: shipping.ShipmentDelivered, at: datetime) -> None:
    row.shipment_state, row.delivered_at = "delivered", at


def _nothing(*_: Any) -> None:
    """It counts as a version of its stream and changes nothing that is shown."""


APPLIERS: dict[type, Applier] = {
    orders.OrderPlaced: _placed,
    orders.OrderAccepted: _accepted,
    orders.OrderConfirmed: _confirmed,
    orders.OrderRejected: _rejected,
    orders.CancellationRequested: _cancellation_requested,
    orders.CancellationLost: _cancellation_lost,
    orders.OrderCancelled: _cancelled,
    orders.OrderLinesCancelled: _lines_cancelled,
    orders.OrderProcessing: _processing,
    orders.OrderCompleted: _completed,
    orders.ReturnOpened: _nothing,
    orders.GoodsReturned: _goods_returned,
    orders.RefundOpened: _nothing,
    orders.OrderRefunded: _order_refunded,
    orders.OrderNeedsAttention: _needs_attention,
    orders.OrderAttentionCleared: _attention_cleared,
    orders.AddressCorrected: _address_corrected,
    payments.PaymentAuthorized: _authorized,
    payments.PaymentActionRequired: _pays("requires_action"),
    payments.PaymentDeclined: _pays("declined"),
    payments.PaymentVoided: _pays("voided"),
    payments.PaymentExpired: _pays("expired"),
    payments.PaymentCaptured: _captured,
    payments.ShareCaptured: _share_captured,
    payments.ShareRefused: _nothing,
    payments.RestReleased: _rest_released,
    payments.CaptureFailed: _pays("capture_failed"),
    payments.PaymentUnknown: _nothing,
    payments.PaymentRefunded: _refunded,
    payments.RefundFailed: _nothing,
    payments.RefundReturned: _returned,
    payments.RefundRepaid: _refunded,
    payments.RefundRefused: _nothing,
    payments.DisputeOpened: _nothing,
    payments.DisputeProgressed: _nothing,
    payments.DisputeClosed: _nothing,
    payments.CaptureReversed: _nothing,
    payments.PaymentFlagged: _nothing,
    payments.AuthorizationExpiring: _nothing,
    payments.AuthorizationRenewed: _nothing,
    payments.RenewalFailed: _nothing,
    inventory.StockReserved: _stock("held"),
    inventory.HoldExtended: _nothing,
    inventory.StockReleased: _released,
    inventory.StockAllocated: _stock("allocated"),
    inventory.StockShort: _stock("short"),
    inventory.StockConsumed: _consumed,
    shipping.ShipmentBooked: _booked,
    shipping.ShipmentRefused: _ships("label_failed"),
    shipping.ShipmentAddressRefused: _ships("address_wrong"),
    shipping.ShipmentUnknown: _ships("unknown"),
    shipping.ShipmentProgressed: _progressed,
    shipping.ShipmentLost: _ships("lost"),
    shipping.ShipmentReturned: _ships("returned"),
    shipping.ShipmentCancelled: _ships("voided"),
    shipping.ShipmentWithdrawn: _nothing,
    shipping.ShipmentHandedOver: _handed_over,
    shipping.ShipmentDelivered: _delivered,
}
