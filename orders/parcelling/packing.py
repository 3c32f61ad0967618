"""What the saga of a parcel asks of orders. Set-based, in the engine's transaction, safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from orders import repository
from orders.aggregate import Order
from orders.commands.parcels import move_on
from orders.contract import ParcelGivenUp, ParcelReady
from orders.parcelling import rules
from orders.parcelling.claims import Claims
from orders.parcelling.states import State
from orders.states import FINAL
from sagas.steps import StepCall
from sagas.verdicts import Answer, Done
from shipping.contract import ADDRESS_TO_CORRECT, ADDRESS_UNKNOWN

#: Code of a parcel whose saga a person has ended.
ENDED_BY_HAND = "orders.ended_by_hand"
#: Who is called: whoever can ask the customer, or whoever runs the shop.
SUPPORT, OWNER = "support", "operations"


def pack(calls: Sequence[StepCall]) -> list[Answer]:
    """The pieces were claimed in the commit that started the saga."""
    return [Done() for _ in calls]


def unpack(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """A label or a share was refused: the pieces are free again, and a person is called to the order.

    Publishes ParcelGivenUp.
    """
    orders, claims = load(calls)
    for call in calls:
        claim = claims.by_id[call.subject_id]
        if claim.state is State.GIVEN_UP or (call.by_hand and claim.state is not State.CLAIMED):
            continue
        claim.code = (call.cause_code or call.cause or ENDED_BY_HAND)[:100]
        claims.move(claim, State.GIVEN_UP, ParcelGivenUp, call.correlation_id, code=claim.code)
        _call_a_person(orders[claim.order_id], claim.number, claim.code, now)
    repository.save(orders.values(), now=now)
    claims.save(now=now)
    return [Done() for _ in calls]


def settle_by_hand(call: StepCall, *, now: datetime) -> Answer:
    """A person has ended the saga of a parcel as completed: it is ready if its label is known, else given up."""
    _, claims = load([call])
    packed = claims.by_id[call.subject_id].state is State.CLAIMED and call.input["shipment_id"]
    (answer,) = make_ready([call], now=now) if packed else unpack([call], now=now)
    return answer


def make_ready(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """Its share is ours. Says whether anything is left of its order that wants money.

    Of two parcels that end at once the second finds that nothing is left: the order's row is locked. A carrier may
    have been faster than the money, so the order moves on to where its parcels are. Publishes ParcelReady,
    OrderProcessing and OrderCompleted.
    """
    orders, claims = load(calls)
    for call in calls:
        claim = claims.by_id[call.subject_id]
        if claim.state is not State.READY:
            shipment_id = claim.shipment_id = UUID(str(call.input["shipment_id"]))
            claims.move(claim, State.READY, ParcelReady, call.correlation_id, shipment_id=shipment_id)
    claims.save(now=now)
    move_on(orders, now=now)
    return [Done({"nothing_left": nothing_left(orders[as_id(c)], claims)}) for c in calls]


def as_id(call: StepCall) -> UUID:
    """The order a parcel is of."""
    return UUID(str(call.input["order_id"]))


def load(calls: Sequence[StepCall]) -> tuple[dict[UUID, Order], Claims]:
    """The orders of these calls under their locks, with all that is claimed of them."""
    orders = repository.load((as_id(call) for call in calls), with_lines=True)
    return orders, Claims(orders)


def nothing_left(order: Order, claims: Claims) -> bool:
    """Whether no share of the order's money can be wanted any more."""
    waits = any(claim.wants_money for claim in claims.of(order.id))
    return not waits and not rules.free_of(order.lines.values(), claims.standing(order.id))


def _call_a_person(order: Order, number: int, code: str, now: datetime) -> None:
    if order.state in FINAL:
        return
    if code == ADDRESS_UNKNOWN:  # a correction lifts this one
        order.need_attention(ADDRESS_TO_CORRECT, on_hold=True, owner=SUPPORT, now=now)
        return
    order.need_attention(f"parcel {number}: {code}"[:200], on_hold=True, owner=OWNER, now=now)
