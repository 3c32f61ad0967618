"""Every read of refunds that people ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orders import queries
from orders.models import Order, OrderLine
from orders.parcelling.claims import still_to_leave
from orders.refunding.models import RefundRequest
from orders.returns import store
from orders.states import REFUNDABLE, State
from orders.worth import Promised
from sagas.queries import waiting_for
from sagas.sql import rows

WAITING = RefundRequest.State.AWAITING_APPROVAL

#: Refunds that wait for a second person, or are owed: oldest first, since they wait longest.
TO_DECIDE = """
SELECT r.id, r.order_id, o.external_reference, r.state, r.currency, r.amount_minor, r.owed_minor, r.reason,
       r.asked_by, r.asked_at, r.refund_id, r.saga_id, r.ended_at IS NOT NULL
  FROM orders_refundrequest r JOIN orders_order o ON o.id = r.order_id
 WHERE r.state IN ('awaiting_approval', 'owed') AND r.state = %s ORDER BY r.id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A request in a list for staff."""

    id: UUID
    order_id: UUID
    reference: str
    state: str
    currency: str
    amount_minor: int
    owed_minor: int
    reason: str
    asked_by: str
    asked_at: datetime
    refund_id: UUID | None
    saga_id: UUID | None
    ended: bool


@dataclass(frozen=True, slots=True)
class LineLeft:
    """A line of an order, and how many of its pieces may still be refunded."""

    position: int
    sku: str
    name: str
    quantity: int
    left: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class Refundable:
    """An order as a person sees it who wants to refund of it. What it says may be old when they press the button."""

    order: Order
    lines: Sequence[LineLeft]
    left_minor: int
    promised_minor: int
    requests: Sequence[RefundRequest]
    to_leave: bool = False  #: It is shipped in parcels, and some of it may still leave or be cancelled.

    @property
    def possible(self) -> bool:
        """Whether a refund could be asked for just now."""
        open_ = State(self.order.state) in REFUNDABLE and not self.order.lock_kind and not self.to_leave
        return open_ and self.left_minor > 0


def of_order(
    order_id: UUID, *, shop_id: UUID, before: UUID | None, limit: int
) -> tuple[Sequence[RefundRequest], UUID | None] | None:
    """One page of an order's requests, newest first, and where the next begins. None if the shop has no such order."""
    if not Order.objects.filter(pk=order_id, shop_id=shop_id).exists():
        return None
    found = RefundRequest.objects.filter(order_id=order_id).order_by("-id")
    page = list((found.filter(pk__lt=before) if before else found)[: limit + 1])
    return page[:limit], page[limit - 1].pk if len(page) > limit else None


def get(request_id: UUID, *, order_id: UUID, shop_id: UUID) -> RefundRequest | None:
    """One request of a shop's order."""
    return RefundRequest.objects.filter(pk=request_id, order_id=order_id, shop_id=shop_id).first()


def waits_for(request: RefundRequest) -> str:
    """What a request at work waits for, as a code; empty when it does not."""
    if request.state != RefundRequest.State.RUNNING or request.saga_id is None:
        return ""
    return waiting_for(request.saga_id)


def listed(state: str, *, limit: int = 200) -> list[Listed]:
    """The oldest requests that are `awaiting_approval` or `owed`, of all shops."""
    return [Listed(*row) for row in rows(TO_DECIDE, [state, limit])]


def refundable(order_id: UUID) -> Refundable | None:
    """What may be refunded of an order, line by line. None if there is no such order."""
    order = Order.objects.filter(pk=order_id).first()
    if order is None:
        return None
    requests = list(RefundRequest.objects.filter(order_id=order_id).order_by("-id"))
    in_returns = store.spoken_for(store.of_orders([order_id]).get(order_id, ()))
    promised = Promised.of((r.amount_minor, r.lines) for r in requests if r.state == WAITING)
    given = order.cancelled_minor + order.returned_minor + order.refunded_minor
    return Refundable(
        order=order,
        lines=[_left(line, promised, in_returns) for line in queries.lines_of(order_id)],
        left_minor=max(0, order.total_minor - given - promised.amount_minor),
        promised_minor=promised.amount_minor,
        requests=requests,
        to_leave=order.in_parcels and bool(still_to_leave([order_id])),
    )


def _left(line: OrderLine, promised: Promised, in_returns: Mapping[int, int]) -> LineLeft:
    waiting = promised.count(line.position) + in_returns.get(line.position, 0)
    gone: Any = line.cancelled_quantity + line.returned_quantity + line.refunded_quantity + waiting
    return LineLeft(
        line.position, line.sku, line.name, line.quantity, max(0, line.quantity - gone), line.total_minor
    )
