"""How shipping reacts to others: a parcel leaves when its order is confirmed and its goods are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from inventory.contract import StockAllocated, StockRefused, StockReserved, StockShort
from orders.contract import CancellationRequested, OrderAttentionCleared, OrderConfirmed
from payments.contract import (
    CaptureFailed,
    DisputeClosed,
    DisputeEvent,
    DisputeOpened,
    DisputeProgressed,
    PaymentDeclined,
    PaymentExpired,
)
from sagas import choreography
from sagas.bus import subscription
from sagas.choreography import GiveBack, TakeOn
from sagas.events import Event
from sagas.log import Recorded
from shipping import commands, contract
from shipping.commands import StockNews


@subscription("shipping.clearance", of=(OrderConfirmed, StockShort, StockAllocated))
def on_clearance(*, events: Sequence[Recorded], now: datetime) -> None:
    """Clear parcels of confirmed orders, stop those short of goods, let go those that got them after all."""
    commands.clear_shipments(
        [r.event.order_id for r in events if isinstance(r.event, OrderConfirmed)],
        [news for r in events if (news := stock_news(r))],
        now=now,
    )


@subscription("shipping.holds", of=(DisputeOpened, DisputeProgressed, DisputeClosed, OrderAttentionCleared))
def on_holds(*, events: Sequence[Recorded], now: datetime) -> None:
    """No parcel of an order leaves while the customer's bank disputes its payment, unless a person has looked.

    In the order in which they were told: what comes after a person has looked holds it again.
    """
    for recorded in events:
        match recorded.event:
            case DisputeEvent() as dispute:
                held = holds_in(dispute)
                commands.hold_order(
                    dispute.order_id, dispute.dispute_id, held=held, version=recorded.version, now=now
                )
            case OrderAttentionCleared(order_id=order_id):
                commands.let_go(order_id, now=now)


def holds_in(event: DisputeEvent) -> bool | None:
    """Whether an event about a dispute holds the order, lets it go, or says nothing about it (None)."""
    match event:
        case DisputeClosed(outcome=outcome):
            return outcome == "lost"
        case DisputeProgressed(state="under_review"):
            return None
    return True


@subscription(
    "shipping.fulfilment",
    of=(
        StockReserved,
        PaymentDeclined, StockRefused, contract.ShipmentRefused, CaptureFailed, PaymentExpired,
        CancellationRequested,
    ),
    part=True,
)  # fmt: skip
def on_fulfilment(*, events: Sequence[Recorded], now: datetime) -> None:
    """Shipping's part in a choreographed order: a label is bought once the goods are held."""
    choreography.act([act for recorded in events for act in part_of(recorded.event)], now=now)


def part_of(event: Event) -> Iterable[TakeOn | GiveBack]:
    """What one event makes shipping do."""
    undo = contract.CANCEL_SHIPMENT
    match event:
        case StockReserved(order_id=order):
            yield TakeOn(order, contract.BOOK_SHIPMENT)
        case (
            PaymentDeclined()
            | StockRefused()
            | contract.ShipmentRefused()  # its own no as well: another try may be out there
            | CaptureFailed()
            | PaymentExpired()
        ):
            yield GiveBack(event.order_id, undo)
        case CancellationRequested(order_id=order, whole=True, reason=reason, saga_id=saga):
            yield GiveBack(order, undo, "intent", reason, saga_id=saga)


def stock_news(recorded: Recorded) -> StockNews | None:
    """What an event says of an order's goods. An allocation that went well at first says nothing new."""
    match recorded.event:
        case StockShort(order_id=order_id):
            return StockNews(order_id, True, recorded.version)
        case StockAllocated(order_id=order_id, again=True):
            return StockNews(order_id, False, recorded.version)
    return None
