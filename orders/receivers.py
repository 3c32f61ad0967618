"""What orders does when the other apps have moved. Every receiver takes a mixed batch and writes once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from inventory import contract as inventory
from orders import commands, contract
from orders.commands import ParcelNews
from orders.read_side.fold import TYPES, fold
from orders.returns import opening
from orders.returns.opening import ParcelBack
from payments import contract as payments
from sagas import choreography
from sagas.bus import subscription
from sagas.choreography import Act, Answered, GiveBack, TakeOn
from sagas.contract import UndoSettled
from sagas.events import Event
from sagas.log import Recorded
from sagas.projections import projection
from shipping import contract as shipping

#: Who must have given back, or have nothing to give back, before a choreographed order ends.
OTHERS = frozenset({"payments", "inventory", "shipping"})


@subscription(
    "orders.fulfilment",
    of=(
        payments.PaymentCaptured,
        payments.PaymentDeclined, inventory.StockRefused, shipping.ShipmentRefused, payments.CaptureFailed,
        payments.PaymentExpired, contract.CancellationRequested,
        payments.PaymentVoided, payments.PaymentRefunded, payments.RefundRepaid, payments.RefundRefused,
        inventory.StockReleased,
        shipping.ShipmentCancelled, UndoSettled,
    ),
    part=True,
)  # fmt: skip
def on_fulfilment(*, events: Sequence[Recorded], now: datetime) -> None:
    """Orders' part in a choreographed order: confirm it, or end it when all others have given back."""
    choreography.act([act for recorded in events for act in part_of(recorded.event)], now=now)


def part_of(event: Event) -> Iterable[Act]:
    """What one event makes orders do."""
    match event:
        case payments.PaymentCaptured(order_id=order):
            yield TakeOn(order, contract.CONFIRM_ORDER)
        case (
            payments.PaymentDeclined()
            | inventory.StockRefused()
            | shipping.ShipmentRefused()
            | payments.CaptureFailed()
            | payments.PaymentExpired()
        ):
            yield GiveBack(event.order_id, contract.CANCEL_ORDER, after=OTHERS)
        case contract.CancellationRequested(order_id=order, whole=True, reason=reason, saga_id=saga):
            yield GiveBack(order, contract.CANCEL_ORDER, "intent", reason, after=OTHERS, saga_id=saga)
    if answer := answer_in(event):
        yield Answered(*answer)


def answer_in(event: Event) -> tuple[UUID, str] | None:  # noqa: PLR0911 - one per kind of answer
    """Which app says with this event that it holds nothing of an order. Who refuses holds nothing either."""
    match event:
        case payments.PaymentCaptured(order_id=order, amount_minor=0):
            return order, "payments"  # nothing was taken, so nothing can be given back
        case (
            payments.PaymentDeclined()
            | payments.PaymentExpired()
            | payments.PaymentVoided()
            | payments.PaymentRefunded()
            | payments.RefundRepaid()
        ):
            return event.order_id, "payments"
        case payments.RefundRefused(order_id=order, whole=True):
            return order, "payments"
        case inventory.StockRefused(order_id=order) | inventory.StockReleased(order_id=order, whole=True):
            return order, "inventory"
        case shipping.ShipmentRefused() | shipping.ShipmentCancelled():
            return event.order_id, "shipping"
        case UndoSettled(subject_id=order, undo=undo):
            return order, undo.partition(".")[0]
    return None


@subscription(
    "orders.parcels",
    of=(
        shipping.ShipmentBooked,
        shipping.ShipmentCancelled,
        shipping.ShipmentHandedOver,
        shipping.ShipmentDelivered,
    ),
)
def on_parcels(*, events: Sequence[Recorded], now: datetime) -> None:
    """Hand-over makes an order processing, delivery of all its parcels completes it. In whatever order."""
    news: dict[UUID, ParcelNews] = {}
    for recorded in events:
        event = recorded.event
        if isinstance(event, shipping.ShipmentEvent):
            item = news.setdefault(event.shipment_id, ParcelNews(event.shipment_id, event.order_id))
            item.handed_over |= isinstance(event, shipping.ShipmentHandedOver)
            item.delivered |= isinstance(event, shipping.ShipmentDelivered)
            item.gone |= isinstance(event, shipping.ShipmentCancelled)
    commands.note_parcels(list(news.values()), now=now)


@subscription("orders.lost_goods", of=(inventory.StockShort,))
def on_lost_goods(*, events: Sequence[Recorded], now: datetime) -> None:
    """A confirmed order whose goods are gone may not leave: a person decides."""
    short = [r.event for r in events if isinstance(r.event, inventory.StockShort)]
    commands.flag_orders({e.order_id: f"stock short: {e.sku}" for e in short}, on_hold=True, now=now)


@subscription(
    "orders.parcel_troubles",
    of=(shipping.ShipmentProgressed, shipping.ShipmentLost, shipping.ShipmentReturned),
)
def on_parcel_troubles(*, events: Sequence[Recorded], now: datetime) -> None:
    """A parcel that is lost, comes back or cannot be brought: a person decides what the customer gets.

    What is in one that came back is a return that was received, and waits for its inspection.
    """
    parcels = [r.event for r in events if isinstance(r.event, shipping.ShipmentEvent)]
    troubles = {parcel.order_id: why for parcel in parcels if (why := trouble_of(parcel))}
    if troubles:
        commands.flag_orders(troubles, on_hold=False, now=now)
    if back := [parcel_of(parcel) for parcel in parcels if isinstance(parcel, shipping.ShipmentReturned)]:
        opening.take_parcels_back(back, now=now)


def parcel_of(event: shipping.ShipmentReturned) -> ParcelBack:
    """What is in a parcel that came back. Its lines may name a SKU twice."""
    pieces: Counter[str] = Counter()
    for line in event.lines:
        pieces[line["sku"]] += line["quantity"]
    return ParcelBack(event.shipment_id, event.order_id, pieces)


def trouble_of(event: shipping.ShipmentEvent) -> str:
    """Why a parcel's news calls for a person. Empty when it does not."""
    match event:
        case shipping.ShipmentLost():
            return "parcel lost"
        case shipping.ShipmentReturned():
            return "parcel returned"
        case shipping.ShipmentProgressed(progress="delivery_failed"):
            return "parcel could not be delivered"
        case shipping.ShipmentProgressed(progress="return_to_sender"):
            return "parcel on its way back"
    return ""


@subscription("orders.failed_refunds", of=(payments.RefundFailed, payments.RefundReturned))
def on_failed_refunds(*, events: Sequence[Recorded], now: datetime) -> None:
    """Money is still owed to the customer: a person finds another way to pay it back.

    What comes back to us does so when its order has long ended, so that calls for a person wherever it stands.
    """
    failed = [r.event for r in events if isinstance(r.event, payments.RefundFailed)]
    commands.flag_orders({e.order_id: f"refund failed: {e.code}" for e in failed}, on_hold=False, now=now)
    returned = [r.event for r in events if isinstance(r.event, payments.RefundReturned)]
    commands.call_for({e.order_id: f"refund came back: {e.code}" for e in returned}, now=now)


@subscription(
    "orders.payment_trouble",
    of=(payments.PaymentFlagged, payments.CaptureReversed, payments.PaymentUnknown),
)
def on_payment_trouble(*, events: Sequence[Recorded], now: datetime) -> None:
    """The provider has what cannot be, or takes money back: nothing leaves before a person has looked."""
    reasons = {r.event.order_id: said for r in events if (said := trouble_in(r.event))}  # type: ignore[attr-defined]
    commands.call_for(reasons, hold=True, now=now)


@subscription(
    "orders.running_out",
    of=(
        payments.AuthorizationExpiring,
        payments.AuthorizationRenewed,
        payments.RenewalFailed,
        payments.PaymentExpired,
    ),
)
def on_holds_running_out(*, events: Sequence[Recorded], now: datetime) -> None:
    """A hold that runs out is told of with its date. What was renewed in time calls nobody any more.

    Of several events about an order the last one counts.
    """
    last = {r.event.order_id: r.event for r in events if isinstance(r.event, payments.PaymentEvent)}
    commands.call_for({order: why for order, event in last.items() if (why := runs_out(event))}, now=now)
    over = [order for order, event in last.items() if isinstance(event, payments.PaymentExpired)]
    commands.flag_orders(dict.fromkeys(over, "payments.authorization_expired"), on_hold=True, now=now)
    renewed = [order for order, event in last.items() if isinstance(event, payments.AuthorizationRenewed)]
    commands.call_off(renewed, because=RUNS_OUT, now=now)


#: How the reason begins for which an order calls a person while its hold runs out.
RUNS_OUT = "authorization runs out"


def runs_out(event: Event) -> str:
    """What a person has to know of a hold that runs out. Empty when nobody has to look."""
    match event:
        case payments.AuthorizationExpiring(until=until):
            return f"{RUNS_OUT} {until:%Y-%m-%d %H:%M} UTC"
        case payments.RenewalFailed(until=until, code=code):
            return f"{RUNS_OUT} {until:%Y-%m-%d %H:%M} UTC, not renewed: {code}"
    return ""


def trouble_in(event: Event) -> str:
    """What a person has to know of an event about a payment. Empty when nobody has to look."""
    match event:
        case payments.PaymentFlagged(flag="dispute_won"):
            return ""
        case payments.PaymentFlagged(flag=flag, said=said):
            return f"payment {flag}: {said}"
        case payments.CaptureReversed(code=code):
            return f"payment taken back: {code}"
        case payments.PaymentUnknown(code="payments.mismatch", operation=operation):
            return f"payment mismatch: {operation}"
    return ""


@projection(
    "orders.view", of=TYPES, tables=("orders_orderview", "orders_ordersummary", "orders_orderviewsku")
)
def on_order_facts(*, events: Sequence[Recorded], slot: int, now: datetime) -> None:
    """Everything about an order in one row, for whoever looks."""
    del now  # what a rebuild makes tomorrow is what was made today
    fold(events, slot=slot)
