"""Cancelling an order: before the capture its saga turns back, after it another saga gives things back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from orders import queries, repository
from orders.aggregate import Order, OrderNotFound
from orders.contract import CANCEL_FULFILMENT
from orders.parcelling import cancelling
from orders.parcelling.cancelling import Because
from orders.references import saga_reference
from orders.returns import opening, rules
from orders.states import State
from sagas.definition import SagaNote
from sagas.engine import StartSaga, cancel_sagas, start_sagas
from sagas.verdicts import Refused

logger = structlog.get_logger(__name__)


class AlreadyRejected(Refused):
    """The order has ended by itself: everything was given back."""

    code = "orders.already_rejected"


class VersionMoved(Refused):
    """The order is not at a version the caller has seen. It says where it stands; nothing was done. HTTP 412."""

    code = "orders.version_moved"

    def __init__(self, order: Order) -> None:
        super().__init__(detail=f"{order.external_reference} is {order.state} at version {order.version}")
        self.version, self.state = order.version, order.state.value


@dataclass(frozen=True, slots=True)
class CancelAnswer:
    """The request is taken. `state` is where the order stands now; `saga_id` gives back what there is.

    With a `return_id` the order was handed over and is not cancelled: that return waits for its goods.
    """

    order_id: UUID
    state: str
    saga_id: UUID | None
    return_id: UUID | None = None


def cancel_order(
    order_id: UUID,
    *,
    actor: str,
    reason: str,
    now: datetime,
    shop_id: UUID | None = None,
    correlation_id: str = "",
    seen: Collection[int] | None = None,
) -> CancelAnswer:
    """Ask to cancel a whole order. Never refused for being early; safe to repeat.

    Waits at most for the order's row, never for a provider. Of an order in parcels all that has not left is cancelled,
    parcel by parcel. Of another that was handed over nothing is: all that is left of it may come back, in one return
    however often this is asked. Raises OrderNotFound (also for another shop's order), ParcelUnderWay (one of its
    parcels is just being booked), VersionMoved if it is at none of the versions `seen`, AlreadyRejected, OrderLocked
    (a part of it is being cancelled just now), and after the hand-over ReturnTooLate or NothingToReturn. Publishes
    CancellationRequested, ParcelCancelAsked or ReturnRequested.
    """
    with transaction.atomic():
        order = repository.load([order_id], with_lines=True).get(order_id)
        if order is None or shop_id not in (None, order.shop_id):
            raise OrderNotFound
        if seen is not None and order.version not in seen:
            raise VersionMoved(order)
        if order.in_parcels and order.state in cancelling.OPEN:
            because = Because(actor=actor, reason=reason, correlation_id=correlation_id)
            if rest := cancelling.cancel_rest(order, because=because, now=now):
                return CancelAnswer(order_id, order.state, rest)
        if order.state in rules.HANDED_OVER:
            back = opening.open_instead_of_cancelling(
                order, actor=actor, reason=reason, now=now, correlation_id=correlation_id
            )
            return CancelAnswer(order_id, order.state, back.saga_id, back.id)
        saga_id = _cancel(order, actor=actor, reason=reason, now=now, correlation_id=correlation_id)
        repository.save([order], now=now, actor=actor, reason=reason, correlations={order_id: correlation_id})
        return CancelAnswer(order_id, order.state, saga_id)


def begin_late_cancellations(notes: Sequence[SagaNote], *, now: datetime) -> None:
    """Cancels that came after the capture: a saga of its own for each order, in the engine's transaction.

    Safe to repeat. Of an order that was handed over in the meantime a return is opened, and a person is told. Of one in
    parcels all that has not left is cancelled, a parcel that is just being booked once that is decided.
    A choreographed order that is not confirmed yet only publishes the wish: each app gives back its own part.
    """
    orders = repository.load((note.subject_id for note in notes), with_lines=True)
    requests = {note.subject_id: note for note in notes if note.subject_id in orders}
    for early in [o for o in orders.values() if o.choreographed and o.state is State.PENDING]:
        note = requests[early.id]
        early.request_cancellation(note.saga_id, reason=note.reason, now=now)
    in_parcels = [o for o in orders.values() if o.in_parcels and o.state in cancelling.OPEN]
    given_back = {o.id for o in in_parcels if _cancel_rest(o, requests[o.id], now)}
    ready = [orders[i] for i in requests if not orders[i].in_parcels and _can_begin(orders[i])]
    sagas = _start(ready, now=now, correlation_id="")
    for order in ready:
        order.request_cancellation(sagas[order.id], reason=requests[order.id].reason, now=now)
    gone = [o for i, o in orders.items() if o.state in rules.HANDED_OVER and i not in given_back]
    for order in gone:
        order.need_attention("orders.cancelled_too_late", on_hold=False, owner="", now=now)
    opening.open_for_late_cancels(gone, {i: note.reason for i, note in requests.items()}, now=now)
    repository.save(orders.values(), now=now, reason="cancelled after the capture")


def _cancel_rest(order: Order, note: SagaNote, now: datetime) -> UUID | None:
    because = Because(actor=note.actor.strip() or "system", reason=note.reason.strip() or "cancelled")
    return cancelling.cancel_rest(order, because=because, now=now, patient=True)


def _cancel(order: Order, *, actor: str, reason: str, now: datetime, correlation_id: str) -> UUID | None:
    match order.state:
        case State.CANCELLED | State.CANCELLING:
            return order.lock_saga
        case State.REJECTED:
            raise AlreadyRejected(detail=order.end_code)
        case State.DRAFT | State.PENDING:
            return _turn_back(order, actor=actor, reason=reason, now=now)
        case _:
            order.check_cancellable()
            saga_id = _start([order], now=now, correlation_id=correlation_id)[order.id]
            order.request_cancellation(saga_id, reason=reason, now=now)
            return saga_id


def _turn_back(order: Order, *, actor: str, reason: str, now: datetime) -> UUID:
    saga_id = order.lock_saga or queries.fulfilment_saga(order.id)
    cancel_sagas([saga_id], actor=actor, reason=reason, now=now)
    if order.state is State.DRAFT:
        # Nothing was done for a draft, so there is nothing to wait for; its saga will find it cancelled.
        order.cancel(saga_id, reason=reason, now=now)
    else:
        order.request_cancellation(saga_id, reason=reason, now=now)
    return saga_id


def _can_begin(order: Order) -> bool:
    try:
        order.check_cancellable()
    except Refused as refused:
        logger.info("late_cancellation_not_begun", order_id=str(order.id), code=refused.code)
        return False
    return order.state is State.CONFIRMED


def _start(orders: Sequence[Order], *, now: datetime, correlation_id: str) -> dict[UUID, UUID]:
    starts = [_saga(order, correlation_id) for order in orders]
    return dict(zip((order.id for order in orders), start_sagas(starts, now=now), strict=True))


def _saga(order: Order, correlation_id: str) -> StartSaga:
    # The version makes the reference new when an earlier cancellation was lost, and the same on a repeat.
    return StartSaga(
        definition=CANCEL_FULFILMENT,
        reference=saga_reference("cancellation", order.external_reference, f"cancel-{order.version}"),
        shop_id=order.shop_id,
        subject_id=order.id,
        label=f"Cancel order {order.external_reference}",
        amount_minor=order.outstanding_minor,
        currency=order.currency,
        search_key=order.external_reference,
        context={
            "order_id": str(order.id),
            "refund_minor": order.outstanding_minor,
            "credit_minor": 0,
            "lines": [],
            "whole": True,
            "note_id": "",
        },
        correlation_id=correlation_id,
    )
