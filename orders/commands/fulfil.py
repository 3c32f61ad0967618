"""What the fulfilment saga asks of orders: accept, confirm, give back. In the engine's transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from orders import repository
from orders.aggregate import Order
from orders.states import LockKind, State
from sagas.steps import StepCall
from sagas.verdicts import Answer, Done, Refused, Unavailable


class CancelledEarly(Refused):
    """Somebody cancelled the order before its saga began."""

    code = "orders.cancelled_early"


def accept_orders(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """Draft to pending; each saga takes its order's lock. Safe to repeat. Publishes OrderAccepted."""
    return _decide(calls, _accept, now)


def confirm_orders(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """Pending to confirmed, and the lock is let go. Safe to repeat. Publishes OrderConfirmed.

    An order that is cancelling becomes confirmed too: its cancellation came after the capture and begins
    anew. Not so in a choreography, where all have heard of it and give back.
    """
    return _decide(calls, _confirm, now)


def give_back_orders(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """End orders whose sagas have given everything back. Safe to repeat and to call before `accept_orders`.

    CANCELLED if somebody asked for it, else REJECTED with the code of the refusal. The final row is its own
    tombstone: a late acceptance is refused by it.
    """
    return _decide(calls, _give_back, now)


def _decide(
    calls: Sequence[StepCall], act: Callable[[Order, StepCall, datetime], None], now: datetime
) -> list[Answer]:
    orders = repository.load(call.subject_id for call in calls)
    answers = [_verdict(act, orders[call.subject_id], call, now) for call in calls]
    correlations = {call.subject_id: call.correlation_id for call in calls}
    repository.save(orders.values(), now=now, correlations=correlations)
    return answers


def _verdict(
    act: Callable[[Order, StepCall, datetime], None], order: Order, call: StepCall, now: datetime
) -> Answer:
    try:
        act(order, call, now)
    except (Refused, Unavailable) as verdict:
        return verdict
    return Done()


def _accept(order: Order, call: StepCall, now: datetime) -> None:
    if order.state in (State.CANCELLING, State.CANCELLED) and order.lock_saga is None:
        raise CancelledEarly(detail=order.cancel_reason)
    if (order.state, order.lock_saga) != (State.PENDING, call.saga_id):
        order.accept(call.saga_id, now=now)


def _confirm(order: Order, call: StepCall, now: datetime) -> None:
    if call.by_hand:
        _confirm_by_hand(order, call, now)
        return
    if order.choreographed and order.state is State.CANCELLING and order.lock_kind is LockKind.FULFIL:
        # The wish was published: everybody gives back, also the money that was captured meanwhile.
        raise Unavailable("orders.cancelling")
    under_way = order.lock_kind is LockKind.FULFIL
    if under_way or order.state not in (State.CONFIRMED, State.PROCESSING, State.COMPLETED, State.CANCELLING):
        order.confirm(now=now)


def _confirm_by_hand(order: Order, call: StepCall, now: datetime) -> None:
    """A person says that it was fulfilled. One that has ended, or that another saga holds, stays as it is."""
    if order.state is State.DRAFT:
        order.accept(call.saga_id, now=now)
    if order.lock_kind is LockKind.FULFIL:
        order.confirm(now=now)


def _give_back(order: Order, call: StepCall, now: datetime) -> None:
    if order.state in (State.REJECTED, State.CANCELLED):
        return
    if order.state is State.CANCELLING or call.cause == "intent":
        order.cancel(call.saga_id, reason=call.cause_code or "cancelled", now=now)
    else:
        order.reject(call.cause_code or call.cause or "orders.given_back", now=now)
