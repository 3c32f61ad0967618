"""Opening returns: the row, its fact and the saga that waits for the goods are one commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from orders import repository
from orders.aggregate import Order, OrderNotFound
from orders.contract import RETURN_GOODS
from orders.returns import bounds, rules, store
from orders.returns.aggregate import Return
from orders.returns.bounds import Bounds
from orders.returns.refusals import NotHandedOver, NothingToReturn, ReturnTooLate, SpokenFor
from orders.returns.rules import Wish
from orders.returns.states import OPEN, Origin, State
from orders.returns.waking import wake
from orders.states import State as OrderState
from orders.worth import Pieces
from sagas.engine import StartSaga, start_sagas
from sagas.ids import uuid7
from sagas.verdicts import Refused

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Opening:
    """A return to open for a locked order with its lines: pieces by line, and who wants it why."""

    order: Order
    pieces: Pieces
    origin: Origin
    reason: str
    asked_by: str
    late: bool = False
    shipment_id: UUID | None = None
    return_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ParcelBack:
    """A parcel that the carrier brought back, with what is in it: pieces by SKU."""

    shipment_id: UUID
    order_id: UUID
    pieces: Mapping[str, int]


def request_return(
    order_id: UUID,
    *,
    wishes: Sequence[Wish] | None,
    actor: str,
    reason: str,
    now: datetime,
    shop_id: UUID | None = None,
    origin: Origin = Origin.SHOP,
    even_late: bool = False,
    correlation_id: str = "",
    return_id: UUID | None = None,
) -> Return:
    """Open a return of some pieces of an order, or of everything that is left (`wishes` None).

    Safe to repeat with its `return_id`; without one, not: pieces in an open return are spoken for. Raises
    OrderNotFound (also for another shop's order), NotHandedOver, ReturnTooLate unless `even_late`, ReturnInvalid,
    SpokenFor or NothingToReturn. Publishes ReturnRequested and starts orders.return_goods, which waits for the goods.
    """
    with transaction.atomic():
        order = repository.load([order_id], with_lines=True).get(order_id)
        if order is None or shop_id not in (None, order.shop_id):
            raise OrderNotFound
        known = store.of_orders([order_id]).get(order_id, [])
        if again := [one for one in known if one.id == return_id]:
            return again[0]
        late = _time_is_over(order, now=now, even_late=even_late)
        pieces = _pieces(order, known, wishes)
        wanted = Opening(order, pieces, origin, reason, actor, late=late, return_id=return_id)
        (opened,) = _open([wanted], now=now, actor=actor, correlation_id=correlation_id)
        return opened


def open_instead_of_cancelling(
    order: Order, *, actor: str, reason: str, now: datetime, timely: bool = True, correlation_id: str = ""
) -> Return:
    """A return of all that is left of an order that was handed over, in the transaction that holds it with its lines.

    Safe to repeat: the answer is the return that was opened for an earlier cancel, unless that was withdrawn; if
    every piece is in returns already, the newest open one. Raises NotHandedOver and ReturnTooLate if it must be
    `timely`, and NothingToReturn. Publishes ReturnRequested.
    """
    known = store.of_orders([order.id]).get(order.id, [])
    earlier = [r for r in known if r.origin == Origin.CANCELLATION and r.state is not State.WITHDRAWN]
    if earlier:
        return earlier[-1]
    pieces = rules.everything(_bounds(order).free(order, known))
    if not pieces:
        return _newest_open(order, known)
    if timely:
        _time_is_over(order, now=now, even_late=False)
    wanted = Opening(order, pieces, Origin.CANCELLATION, reason, actor)
    (opened,) = _open([wanted], now=now, actor=actor, correlation_id=correlation_id)
    return opened


def open_for_late_cancels(orders: Sequence[Order], reasons: Mapping[UUID, str], *, now: datetime) -> None:
    """The same for cancels that lost against the hand-over, as far as anything is left. Safe to repeat."""
    for order in orders:
        try:
            open_instead_of_cancelling(
                order, actor="system", reason=reasons[order.id][:500], now=now, timely=False
            )
        except Refused as refused:
            logger.info("no_return_for_a_late_cancel", order_id=str(order.id), code=refused.code)


def take_parcels_back(parcels: Sequence[ParcelBack], *, now: datetime) -> None:
    """Parcels are in the house again: what is in them counts as received, and a person inspects it.

    Pieces that a return waits for are received by that return; for the others one is opened. Safe to repeat: the
    first of them names the parcel. Publishes ReturnReceived, and ReturnRequested for new ones.
    """
    with transaction.atomic():
        orders = repository.load((parcel.order_id for parcel in parcels), with_lines=True)
        known = store.of_orders(list(orders))
        limits = bounds.of(orders, arrived=[parcel.shipment_id for parcel in parcels])
        for parcel in sorted(parcels, key=lambda parcel: parcel.shipment_id):
            order = orders.get(parcel.order_id)
            mine = known.setdefault(parcel.order_id, [])
            if order is not None and order.state not in (OrderState.REJECTED, OrderState.CANCELLED):
                mine += _take_back(order, mine, parcel, limits[order.id], now=now)


def _take_back(
    order: Order, known: Sequence[Return], parcel: ParcelBack, limit: Bounds, *, now: datetime
) -> list[Return]:
    if any(parcel.shipment_id == one.shipment_id for one in known):
        return []
    left = Counter(parcel.pieces)
    waiting = [one for one in known if one.state is State.REQUESTED]
    received = [one for one in waiting if _receive_from(order, one, left, now=now)]
    for first in received[:1]:
        first.shipment_id = parcel.shipment_id
    store.save(received, now=now, reason="the carrier brought the parcel back")
    wake(received)
    pieces = _pieces_of(order, left, rules.everything(limit.free(order, known)))
    if not pieces:
        return []
    reason = "The carrier brought the parcel back."
    named = None if received else parcel.shipment_id
    wanted = Opening(order, pieces, Origin.CARRIER, reason, "carrier", shipment_id=named)
    return _open([wanted], now=now, actor="system", received=True)


def _receive_from(order: Order, waiting: Return, left: Counter[str], *, now: datetime) -> bool:
    """Let a return that waits receive what of it is in the parcel; `left` is what the parcel has besides."""
    asked = {line.position: line.asked for line in waiting.lines.values()}
    came = _pieces_of(order, left, asked)
    if not came:
        return False
    for position, pieces in came.items():
        left[order.lines[position].sku] -= pieces
    return waiting.receive(came, skus_of(order), (), now=now)


def _pieces_of(order: Order, parcel: Mapping[str, int], bounds: Pieces) -> dict[int, int]:
    """A parcel's pieces counted on lines, the last line first, within bounds by line."""
    rest, found = Counter(parcel), {}
    for position in sorted(bounds, reverse=True):
        sku = order.lines[position].sku
        if pieces := min(rest[sku], bounds[position]):
            found[position] = pieces
            rest[sku] -= pieces
    return found


def _open(
    wanted: Sequence[Opening], *, now: datetime, actor: str, correlation_id: str = "", received: bool = False
) -> list[Return]:
    known = store.of_orders([one.order.id for one in wanted])
    numbers = {order_id: len(mine) for order_id, mine in known.items()}
    opened = [_new(one, numbers.get(one.order.id, 0) + 1, now) for one in wanted]
    starts = [_saga(one, back, correlation_id) for one, back in zip(wanted, opened, strict=True)]
    start_sagas(starts, now=now)
    for one, back in zip(wanted, opened, strict=True):
        if received:
            back.receive(one.pieces, skus_of(one.order), (), now=now)
    store.insert(opened, now=now, actor=actor, correlation_id=correlation_id)
    return opened


def _new(wanted: Opening, number: int, now: datetime) -> Return:
    order = wanted.order
    back = Return(
        id=wanted.return_id or uuid7(), shop_id=order.shop_id, order_id=order.id, number=number, saga_id=uuid7(),
        due_at=now + timedelta(days=settings.WAYBILL.return_receipt_days), requested_at=now, moved_at=now,
        origin=wanted.origin.value, reason=wanted.reason[:500], asked_by=wanted.asked_by[:100], late=wanted.late,
        shipment_id=wanted.shipment_id,
    )  # fmt: skip
    return back.request([(p, order.lines[p].sku, pieces) for p, pieces in sorted(wanted.pieces.items())])


def _saga(wanted: Opening, back: Return, correlation_id: str) -> StartSaga:
    order = wanted.order
    return StartSaga(
        id=back.saga_id,
        definition=RETURN_GOODS,
        # By its id: a shop names its credit notes as it likes, and their sagas are called after them.
        reference=f"{order.external_reference}/return-{back.number}-{back.id.hex[-12:]}",
        shop_id=order.shop_id,
        subject_id=order.id,
        label=f"Return {back.number} of order {order.external_reference}",
        amount_minor=rules.value_of(order, wanted.pieces),
        currency=order.currency,
        search_key=order.external_reference,
        context=_context(order),
        correlation_id=correlation_id,
    )


def _context(order: Order) -> dict[str, Any]:
    """Nothing is known of what will be accepted: the inspection says it."""
    return {
        "order_id": str(order.id), "refund_minor": 0, "credit_minor": 0, "lines": [], "whole": False, "note_id": "",
    }  # fmt: skip


def _bounds(order: Order) -> Bounds:
    return bounds.of({order.id: order})[order.id]


def _pieces(order: Order, known: Sequence[Return], wishes: Sequence[Wish] | None) -> dict[int, int]:
    """What a return is opened for. What would be granted if it had only left the house is told apart."""
    limit = _bounds(order)
    try:
        return _granted(order, wishes, limit.free(order, known))
    except (NothingToReturn, SpokenFor) as no:
        _granted(order, wishes, limit.once_it_has_left().free(order, known))
        raise NotHandedOver(detail=f"{order.external_reference}: not all of that has left") from no


def _granted(order: Order, wishes: Sequence[Wish] | None, free: Pieces) -> dict[int, int]:
    pieces = rules.everything(free) if wishes is None else rules.granted(order, wishes, free)
    if not pieces:
        raise NothingToReturn(detail=order.external_reference)
    return pieces


def _newest_open(order: Order, known: Sequence[Return]) -> Return:
    if found := [one for one in known if one.state in OPEN]:
        return found[-1]
    raise NothingToReturn(detail=order.external_reference)


def _time_is_over(order: Order, *, now: datetime, even_late: bool) -> bool:
    """Whether the return is late and let pass all the same."""
    window = timedelta(days=settings.WAYBILL.return_window_days)
    try:
        rules.check_time(order, window=window, now=now)
    except ReturnTooLate:
        if not even_late:
            raise
        return True
    return False


def skus_of(order: Order) -> dict[int, str]:
    """The SKU of each line. Needs the lines."""
    return {line.position: line.sku for line in order.lines.values()}
