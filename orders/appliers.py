"""What each event changes on an order. Facts are taken over, never judged: the aggregate decided before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from orders import contract
from orders.lines import Line
from orders.states import LockKind, State, held_for_a_bank
from sagas.events import Event
from shipping.contract import ADDRESS_TO_CORRECT

if TYPE_CHECKING:
    from orders.aggregate import Order


def _placed(order: Order, event: contract.OrderPlaced, at: datetime) -> None:
    order.external_reference, order.person_id = event.external_reference, event.person_id
    order.country, order.payment_method, order.currency = event.country, event.payment_method, event.currency
    order.fulfilment, order.in_parcels = event.fulfilment, event.ship_in_parcels
    order.total_minor, order.goods_minor = event.total_minor, event.goods_minor
    order.charges_minor, order.charges = event.charges_minor, [dict(charge) for charge in event.charges]
    order.placed_at, order.received_at = event.placed_at, at
    order.lines = {
        item["position"]: Line(
            item["position"],
            item["sku"],
            item["kind"],
            item["quantity"],
            total_minor=item["total_minor"],
        )
        for item in event.lines
    }
    _move(order, State.DRAFT, at)


def _accepted(order: Order, event: contract.OrderAccepted, at: datetime) -> None:
    _move(order, State.PENDING, at)
    _lock(order, event.saga_id, LockKind.FULFIL, at)


def _confirmed(order: Order, _: Event, at: datetime) -> None:
    _move(order, State.CONFIRMED, at)
    order.cancel_reason = ""
    _unlock(order)
    _settle(order)


def _rejected(order: Order, event: contract.OrderRejected, at: datetime) -> None:
    _move(order, State.REJECTED, at)
    order.end_code = event.code
    _unlock(order)
    _clear(order)


def _cancellation_requested(order: Order, event: contract.CancellationRequested, at: datetime) -> None:
    if order.lock_kind is LockKind.NONE:
        early = order.state is State.DRAFT
        _lock(order, event.saga_id, LockKind.FULFIL if early else LockKind.CANCEL, at)
    order.cancel_reason = event.reason
    if event.whole:
        _move(order, State.CANCELLING, at)


def _cancellation_lost(order: Order, _: Event, at: datetime) -> None:
    if order.state is State.CANCELLING:
        _move(order, State.CONFIRMED, at)
    order.cancel_reason = ""
    _unlock(order)
    _settle(order)


def _cancelled(order: Order, event: contract.OrderCancelled, at: datetime) -> None:
    _move(order, State.CANCELLED, at)
    order.cancel_reason = event.reason
    _unlock(order)
    _clear(order)


def _lines_cancelled(order: Order, event: contract.OrderLinesCancelled, _: datetime) -> None:
    for item in event.lines:
        order.lines[item["position"]].cancelled += item["quantity"]
    order.cancelled_minor += event.amount_minor
    _unlock(order)
    _settle(order)


def _processing(order: Order, _: Event, at: datetime) -> None:
    _move(order, State.PROCESSING, at)
    if order.on_hold:
        _clear(order)


def _completed(order: Order, _: Event, at: datetime) -> None:
    _move(order, State.COMPLETED, at)


def _return_opened(order: Order, event: contract.ReturnOpened, at: datetime) -> None:
    _lock(order, event.saga_id, LockKind.RETURN, at)


def _goods_returned(order: Order, event: contract.GoodsReturned, _: datetime) -> None:
    for item in event.lines:
        order.lines[item["position"]].returned += item["quantity"]
    order.returned_minor += event.amount_minor
    _unlock(order)
    _clear(order)


def _refund_opened(order: Order, event: contract.RefundOpened, at: datetime) -> None:
    _lock(order, event.saga_id, LockKind.REFUND, at)


def _refunded(order: Order, event: contract.OrderRefunded, _: datetime) -> None:
    for item in event.lines:
        line = order.lines[item["position"]]
        line.refunded += item["quantity"]
        line.refunded_minor += item["amount_minor"]
    order.refunded_minor += event.amount_minor
    _unlock(order)
    _settle(order)


def _needs_attention(order: Order, event: contract.OrderNeedsAttention, _: datetime) -> None:
    order.needs_attention, order.attention_reason = True, event.reason
    order.on_hold = event.on_hold
    order.hold_reason, order.hold_owner = (event.reason, event.owner) if event.on_hold else ("", "")


def _attention_cleared(order: Order, *_: Event | datetime) -> None:
    _clear(order)


def _address_corrected(order: Order, event: contract.AddressCorrected, _: datetime) -> None:
    order.person_id = event.person_id
    if order.attention_reason == ADDRESS_TO_CORRECT:
        _clear(order)


def _move(order: Order, to: State, at: datetime) -> None:
    order.state, order.moved_at = to, at


def _lock(order: Order, saga_id: UUID, kind: LockKind, at: datetime) -> None:
    order.lock_saga, order.lock_kind, order.lock_since = saga_id, kind, at


def _unlock(order: Order) -> None:
    order.lock_saga, order.lock_kind, order.lock_since = None, LockKind.NONE, None


def _settle(order: Order) -> None:
    """What was in the way is done with, unless it is the customer's bank."""
    if not held_for_a_bank(order.hold_reason):
        _clear(order)


def _clear(order: Order) -> None:
    order.needs_attention, order.attention_reason = False, ""
    order.on_hold, order.hold_reason, order.hold_owner = False, "", ""


APPLIERS: dict[type, Callable[[Order, Any, datetime], None]] = {
    contract.OrderPlaced: _placed,
    contract.OrderAccepted: _accepted,
    contract.OrderConfirmed: _confirmed,
    contract.OrderRejected: _rejected,
    contract.CancellationRequested: _cancellation_requested,
    contract.CancellationLost: _cancellation_lost,
    contract.OrderCancelled: _cancelled,
    contract.OrderLinesCancelled: _lines_cancelled,
    contract.OrderProcessing: _processing,
    contract.OrderCompleted: _completed,
    contract.ReturnOpened: _return_opened,
    contract.GoodsReturned: _goods_returned,
    contract.RefundOpened: _refund_opened,
    contract.OrderRefunded: _refunded,
    contract.OrderNeedsAttention: _needs_attention,
    contract.OrderAttentionCleared: _attention_cleared,
    contract.AddressCorrected: _address_corrected,
}
