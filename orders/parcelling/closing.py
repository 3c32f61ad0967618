"""What the saga that cancels pieces asks of orders. Set-based, in the engine's transaction, safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from orders import repository
from orders.aggregate import Order, OrderLocked
from orders.commands.parcels import move_on
from orders.contract import ParcelCancelled, ParcelGivenUp, ParcelKept
from orders.parcelling.cancelling import (
    Because,
    ParcelEnded,
    ParcelUnderWay,
    asked_to_cancel,
    cancel_freed,
    left,
)
from orders.parcelling.claims import Claim, Claims
from orders.parcelling.packing import ENDED_BY_HAND, as_id, load, nothing_left
from orders.parcelling.states import State
from sagas.steps import StepCall
from sagas.verdicts import Answer, Done, Refused, Unavailable
from shipping.contract import ALREADY_HANDED_OVER

#: How soon a parcel that is just being booked or paid for is looked at again.
LOOK_AGAIN = timedelta(minutes=1)


def hold(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """Nobody is to ship the pieces. Mostly that was so in the commit that started the saga.

    One that was still being booked or paid for is looked at again until that is decided. If it was given up, what it
    has freed is cancelled by a saga of its own. Publishes ParcelCancelAsked.
    """
    orders, claims = load(calls)
    answers = [_hold(orders[as_id(call)], claims, claims.by_id[call.subject_id], call, now) for call in calls]
    claims.save(now=now)
    return answers


def _hold(order: Order, claims: Claims, claim: Claim, call: StepCall, now: datetime) -> Answer:
    if claim.cancel_saga_id != call.saga_id:
        return Refused(ParcelEnded.code, f"parcel {claim.number} is given back by {claim.cancel_saga_id}")
    match claim.state:
        case State.CANCELLING:
            return Done()
        case State.CLAIMED:
            return Unavailable(ParcelUnderWay.code, f"parcel {claim.number}").sparing(now + LOOK_AGAIN)
        case State.READY:
            return _take_back(order, claims, claim, call)
    because = Because(actor="system", reason=call.input["reason"], correlation_id=call.correlation_id)
    cancel_freed(order, claims, claim, because=because, now=now)
    return Refused(ParcelEnded.code, f"parcel {claim.number} is {claim.state}")


def _take_back(order: Order, claims: Claims, claim: Claim, call: StepCall) -> Answer:
    if left([claim]):
        return Refused(ALREADY_HANDED_OVER, f"parcel {claim.number}")
    claims.hold(claim)
    claims.tell(claim, asked_to_cancel(order, claim), call.correlation_id, reason=call.input["reason"])
    return Done()


def keep(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """A parcel that the carrier has goes on; pieces that were in none are free again.

    Of what arrived meanwhile the order may be complete. Publishes ParcelKept or ParcelGivenUp, and OrderCompleted.
    """
    orders, claims = load(calls)
    for call in calls:
        claim = claims.by_id[call.subject_id]
        if claim.state is State.CANCELLING and claim.cancel_saga_id == call.saga_id:
            _keep(claims, claim, call)
    claims.save(now=now)
    move_on(orders, now=now)
    return [Done() for _ in calls]


def _keep(claims: Claims, claim: Claim, call: StepCall) -> None:
    code = (call.cause_code or call.cause or (ENDED_BY_HAND if call.by_hand else ALREADY_HANDED_OVER))[:100]
    if claim.ready_at is None:
        claim.code = code
        claims.move(claim, State.GIVEN_UP, ParcelGivenUp, call.correlation_id, code=code)
    else:
        claims.move(claim, State.READY, ParcelKept, call.correlation_id, code=code)


def cancel_pieces(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """Count the pieces as cancelled at the share they had. Says whether anything still wants money.

    Unavailable while a return or a refund holds the order. Publishes OrderLinesCancelled and ParcelCancelled.
    """
    orders, claims = load(calls)
    answers = [_cancel(orders[as_id(call)], claims, call, now) for call in calls]
    correlations = {as_id(call): call.correlation_id for call in calls}
    repository.save(orders.values(), now=now, correlations=correlations)
    claims.save(now=now)
    return answers


def _cancel(order: Order, claims: Claims, call: StepCall, now: datetime) -> Answer:
    claim = claims.by_id[call.subject_id]
    if claim.state is State.CANCELLING and claim.cancel_saga_id == call.saga_id:
        try:
            order.cancel_pieces(claim.pieces, amount_minor=claim.share_minor, now=now)
        except OrderLocked as locked:
            return Unavailable(locked.code, locked.detail)
        back = claim.share_minor if claim.ready_at else 0
        claims.move(claim, State.CANCELLED, ParcelCancelled, call.correlation_id, refund_minor=back)
    return Done({"nothing_left": nothing_left(order, claims)})


def finish(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """End orders of which that was the last that anybody waited for: cancelled if nothing was ever shipped.

    Safe to repeat. Publishes OrderCancelled or OrderCompleted.
    """
    last = [call for call in calls if call.input["nothing_left"]]
    orders = repository.load((as_id(call) for call in last), with_lines=True)
    for call in last:
        orders[as_id(call)].end_cancelled(call.saga_id, reason=call.input["reason"], now=now)
    repository.save(orders.values(), now=now)
    if orders:
        move_on(orders, now=now)
    return [Done() for _ in calls]
