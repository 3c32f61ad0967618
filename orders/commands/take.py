"""Taking orders that may have been sent before: a repeat is recognised, another order under its reference is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from orders import queries
from orders.commands.place import Placed, place_orders
from orders.intake import PlaceOrder
from orders.queries import PlacedBefore
from sagas.verdicts import Refused


class ReferenceTaken(Refused):
    """Another order of this shop has the reference. `order_id` says which."""

    code = "orders.duplicate_reference"

    def __init__(self, order_id: UUID, reference: str) -> None:
        super().__init__(detail=f"Order {reference} was placed before, and it is another one.")
        self.order_id = order_id


def take_orders(
    batch: Sequence[PlaceOrder], *, now: datetime, correlation_id: str = "", actor: str = "api"
) -> list[Placed | Refused]:
    """Place many orders in one commit, an answer each, in order; as if they had come one after the other.

    Safe to repeat. What says the same as the order that has its reference is answered with that order, in the
    state it is in now; what says something else with ReferenceTaken. Two statements and a look at people more
    than `place_orders` if there is anything to compare, else none.
    """
    answers = place_orders(batch, now=now, correlation_id=correlation_id, actor=actor)
    before = queries.placed_before({a.order_id for a in answers if isinstance(a, Placed) and a.existing})
    return [_compared(order, answer, before, now) for order, answer in zip(batch, answers, strict=True)]


def _compared(
    order: PlaceOrder, answer: Placed | Refused, before: Mapping[UUID, PlacedBefore], now: datetime
) -> Placed | Refused:
    if isinstance(answer, Refused) or not answer.existing:
        return answer
    known = before[answer.order_id]
    if not order.says_the_same(known.placed, known.person, now=now):
        return ReferenceTaken(answer.order_id, answer.external_reference)
    return Placed(answer.order_id, answer.external_reference, existing=True, state=known.state)
