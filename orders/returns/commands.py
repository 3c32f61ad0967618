"""What people in the warehouse and the shop do with a return that is open. Each holds the order's row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from orders import repository
from orders.aggregate import Order
from orders.contract import GOODS
from orders.returns import bounds, store
from orders.returns.aggregate import Finding, Return
from orders.returns.opening import skus_of
from orders.returns.refusals import ReturnInvalid, ReturnMoved, ReturnNotFound, SpokenFor
from orders.returns.states import OPEN, State
from orders.returns.waking import wake
from orders.worth import Pieces
from sagas.queries import is_unfinished

#: Code of a return that somebody took back.
WITHDRAWN = "orders.return_withdrawn"
#: Why a person is called: the parcel held goods that are none of the order.
UNEXPECTED = "orders.return_unexpected_goods"


def receive_return(
    return_id: UUID,
    *,
    came: Pieces,
    unexpected: Mapping[str, int] | None = None,
    actor: str,
    reason: str,
    now: datetime,
    order_id: UUID | None = None,
    shop_id: UUID | None = None,
) -> Return:
    """Write down what came back, by line of the order: fewer, more or others than asked, and what is none of it.

    Safe to repeat; of two that differ the first wins. Raises ReturnNotFound, ReturnInvalid for lines that the
    order does not have and for nothing at all, ReturnMoved. Publishes ReturnReceived, wakes the saga, and calls a
    person to unexpected goods.
    """
    strange = [{"sku": sku, "quantity": pieces} for sku, pieces in sorted((unexpected or {}).items())]

    def act(order: Order, back: Return) -> None:
        _check_came(order, came, strange)
        if back.receive(came, skus_of(order), strange, now=now) and strange:
            order.need_attention(UNEXPECTED, on_hold=order.on_hold, owner=order.hold_owner, now=now)

    return _change(return_id, act, actor=actor, reason=reason, now=now, order_id=order_id, shop_id=shop_id)


def inspect_return(
    return_id: UUID,
    *,
    findings: Sequence[Finding],
    actor: str,
    reason: str,
    now: datetime,
    order_id: UUID | None = None,
    shop_id: UUID | None = None,
) -> Return:
    """Decide on every received piece, line by line. Its saga refunds and puts back what was accepted.

    Safe to repeat; of two that differ the first wins. Raises ReturnNotFound, ReturnInvalid, ReturnMoved, and
    SpokenFor when more is accepted than the order has left beside its other returns and what waits for approval.
    Publishes ReturnInspected.
    """

    def act(order: Order, back: Return) -> None:
        if back.inspect(findings, now=now):
            limit = bounds.of({order.id: order})[order.id]
            _check_left(back, limit.free(order, store.of_orders([order.id])[order.id], besides=back.id))

    return _change(return_id, act, actor=actor, reason=reason, now=now, order_id=order_id, shop_id=shop_id)


def withdraw_return(
    return_id: UUID,
    *,
    actor: str,
    reason: str,
    now: datetime,
    order_id: UUID | None = None,
    shop_id: UUID | None = None,
) -> Return:
    """Take a return back before its goods have come; its pieces are free again. Safe to repeat.

    Later only if a person has ended its saga by hand: nobody else would end it. Raises ReturnNotFound, or ReturnMoved
    once something was received. Publishes ReturnWithdrawn.
    """

    def act(_: Order, back: Return) -> None:
        if back.state is State.WITHDRAWN:
            return
        if not may_withdraw(back):
            raise ReturnMoved(detail=f"return {back.number} is {back.state}")
        back.withdraw(WITHDRAWN, now=now)

    return _change(return_id, act, actor=actor, reason=reason, now=now, order_id=order_id, shop_id=shop_id)


def may_withdraw(back: Return) -> bool:
    """Whether a return can be taken back where it stands."""
    return back.state is State.REQUESTED or (back.state in OPEN and not is_unfinished(back.saga_id))


def _change(
    return_id: UUID,
    act: Callable[[Order, Return], None],
    *,
    actor: str,
    reason: str,
    now: datetime,
    order_id: UUID | None,
    shop_id: UUID | None,
) -> Return:
    with transaction.atomic():
        found = store.order_of(return_id)
        order = repository.load([found], with_lines=True).get(found) if found else None
        back = store.by_id(return_id)  # after the lock: as whoever had it before has left it
        if (
            order is None
            or back is None
            or shop_id not in (None, back.shop_id)
            or order_id not in (None, found)
        ):
            raise ReturnNotFound
        act(order, back)
        if back.changes:
            store.save([back], now=now, actor=actor, reason=reason)
            repository.save([order], now=now, actor=actor, reason=reason)
            wake([back])
        return back


def _check_came(order: Order, came: Pieces, strange: Sequence[Mapping[str, Any]]) -> None:
    if not any(came.values()) and not strange:
        raise ReturnInvalid(detail="Nothing came: a return without goods is withdrawn.")
    for position, pieces in came.items():
        line = order.lines.get(position)
        if line is None or line.kind != GOODS or pieces < 0:
            raise ReturnInvalid(detail=f"{pieces} of line {position}: no goods of {order.external_reference}")
    ours = {line.sku for line in order.lines.values()}
    if known := [item["sku"] for item in strange if item["sku"] in ours or item["quantity"] < 1]:
        raise ReturnInvalid(detail=f"{known[0]} is on the order: name its line")


def _check_left(back: Return, free: Pieces) -> None:
    over = Counter(back.accepted)
    over.subtract({position: free.get(position, 0) for position in back.accepted})
    for position, pieces in over.items():
        if pieces > 0:
            raise SpokenFor(detail=f"line {position}: {pieces} more accepted than the order has left")
