"""What the saga that cancels pieces asks of orders. Set-based, in the engine's transaction, safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from orders import repository
from orders.aggregate import Order, OrderLocked
from orders.commands.parcels import move_on
from orders.contract import ParcelCancelled, ParcelGivenUp, ParcelKept
from orders.giving_back import notes
from orders.giving_back.closing import finish_notes
from orders.parcelling.claims import Claim, Claims
from orders.parcelling.packing import ENDED_BY_HAND, as_id, load, nothing_left
from orders.parcelling.states import State
from sagas.steps import StepCall
from sagas.verdicts import Answer, Done, Unavailable
from shipping.contract import ALREADY_HANDED_OVER


def hold(calls: Sequence[StepCall]) -> list[Answer]:
    """The pieces were held in the commit that started the saga."""
    return [Done() for _ in calls]


def keep(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """A parcel that the carrier has goes on; pieces that were in none are free again, and their note waits anew.

    Of what arrived meanwhile the order may be complete. Publishes ParcelKept or ParcelGivenUp, and OrderCompleted.
    """
    orders, claims = load(calls)
    for call in calls:
        claim = claims.by_id[call.subject_id]
        if claim.state is State.CANCELLING:
            _keep(claims, claim, call)
    claims.save(now=now)
    move_on(orders, now=now)
    notes.wait_again([UUID(call.input["note_id"]) for call in calls if call.input["note_id"]], now=now)
    return [Done() for _ in calls]


def _keep(claims: Claims, claim: Claim, call: StepCall) -> None:
    code = (call.cause_code or call.cause or (ENDED_BY_HAND if call.by_hand else ALREADY_HANDED_OVER))[:100]
    if claim.ready_at is None:
        claim.code = code
        claims.move(claim, State.GIVEN_UP, ParcelGivenUp, call.correlation_id, code=code)
    else:
        claims.move(claim, State.READY, ParcelKept, call.correlation_id, code=code)


def cancel_pieces(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """Count the pieces as cancelled at the share they had, and end the note. Says whether anything still wants money.

    Unavailable while a return or a refund holds the order. Publishes OrderLinesCancelled, ParcelCancelled and
    CreditNoteApplied.
    """
    orders, claims = load(calls)
    answers = [_cancel(orders[as_id(call)], claims, call, now) for call in calls]
    correlations = {as_id(call): call.correlation_id for call in calls}
    repository.save(orders.values(), now=now, correlations=correlations)
    claims.save(now=now)
    finish_notes(calls, answers, now)
    return answers


def _cancel(order: Order, claims: Claims, call: StepCall, now: datetime) -> Answer:
    claim = claims.by_id[call.subject_id]
    if claim.state is State.CANCELLING:
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
