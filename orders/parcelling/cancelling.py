"""Cancelling pieces that no carrier has: of one parcel, or all that is left of an order. Under the order's lock.

Pieces that are in no parcel are claimed for it, so that nobody packs them meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from orders import queries, repository
from orders.aggregate import AlreadyHandedOver, Order, OrderNotFound
from orders.contract import CANCEL_PARCEL, ParcelCancelAsked
from orders.parcelling import rules
from orders.parcelling.claims import Claim, Claims
from orders.parcelling.models import FulfilmentOrder
from orders.parcelling.states import State
from orders.states import State as OrderState
from sagas.engine import StartSaga, start_sagas
from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.operate import ReasonMissing
from sagas.sql import rows
from sagas.verdicts import Refused

LEFT = """
SELECT id FROM orders_parcel WHERE id = ANY(%s::uuid[]) AND (handed_over OR delivered)
"""
#: Where something of an order may still be cancelled that is not shipped.
OPEN = (OrderState.CONFIRMED, OrderState.PROCESSING)


class ParcelUnderWay(Refused):
    """A parcel is just being booked or paid for: once that is decided it can be cancelled."""

    code = "orders.parcel_under_way"


class NoSuchParcel(Refused):
    """The order has no such parcel. HTTP 404."""

    code = "orders.no_such_parcel"


class ParcelEnded(Refused):
    """It was given up or cancelled before: there is nothing to cancel."""

    code = "orders.parcel_ended"


@dataclass(frozen=True, kw_only=True)
class Because:
    """Who wants it and why, and the credit note it comes from, if it does, with what that owes beside."""

    actor: str
    reason: str
    correlation_id: str = ""
    note_id: str = ""
    credit_minor: int = 0


def cancel_parcel(
    order_id: UUID, parcel_id: UUID, *, because: Because, now: datetime, shop_id: UUID | None = None
) -> UUID:
    """Ask to cancel one parcel that has not left; the saga that gives it back. Safe to repeat.

    The carrier decides: if it has the parcel, that goes on. Raises OrderNotFound (also for another shop's order),
    NoSuchParcel, ParcelUnderWay, ParcelEnded, or AlreadyHandedOver. Publishes ParcelCancelAsked.
    """
    if not because.actor.strip() or not because.reason.strip():
        raise ReasonMissing
    with transaction.atomic():
        order = repository.load([order_id], with_lines=True).get(order_id)
        if order is None or shop_id not in (None, order.shop_id):
            raise OrderNotFound
        claims = Claims([order_id])
        claim = claims.by_id.get(parcel_id)
        if claim is None:
            raise NoSuchParcel
        if claim.state is State.CANCELLING and claim.cancel_saga_id:
            return claim.cancel_saga_id
        _check(claim)
        return _take_back(order, claims, claim, because, now)


def _check(claim: Claim) -> None:
    if claim.state is State.CLAIMED:
        raise ParcelUnderWay(detail=f"parcel {claim.number}")
    if claim.state is not State.READY:
        raise ParcelEnded(detail=f"parcel {claim.number} is {claim.state}")
    if claim.id in _left([claim]):
        raise AlreadyHandedOver(detail=f"parcel {claim.number}: a return is needed")


def cancel_rest(order: Order, *, because: Because, now: datetime) -> UUID | None:
    """Cancel all of a locked order that has not left; a saga that gives back, or None if there is nothing to.

    Safe to repeat. Raises ParcelUnderWay. Publishes ParcelCancelAsked, once for each parcel and once for the pieces
    that are in none.
    """
    claims = Claims([order.id])
    if under_way := [c for c in claims.of(order.id) if c.state is State.CLAIMED]:
        raise ParcelUnderWay(detail=f"parcel {under_way[0].number}")
    ready = [c for c in claims.of(order.id) if c.state is State.READY]
    gone = _left(ready)
    sagas = [_take_back(order, claims, c, because, now) for c in ready if c.id not in gone]
    if free := rules.free_of(order.lines.values(), claims.standing(order.id)):
        sagas.append(cancel_free(order, claims, free, because=because, now=now))
    sagas += [
        c.cancel_saga_id for c in claims.of(order.id) if c.state is State.CANCELLING and c.cancel_saga_id
    ]
    return sagas[-1] if sagas else None


def cancel_free(
    order: Order, claims: Claims, pieces: Mapping[int, int], *, because: Because, now: datetime
) -> UUID:
    """Claim free pieces of a locked order so that nobody ships them; the saga that gives them back."""
    share = rules.share_of(order, pieces, claims.standing(order.id))
    claim = Claim(
        uuid7(), order.shop_id, order.id, len(claims.of(order.id)) + 1, 1, uuid7(), None, None, None,
        State.CANCELLING, rules.lines_of(order, pieces), share,
    )  # fmt: skip
    start = _saga(order, claim, because)
    claim.saga_id = claim.cancel_saga_id = start.id
    start_sagas([start], now=now)
    _insert(order, claim, because, now)
    claims.by_id[claim.id] = claim
    _publish(order, claim, because, now)
    return start.id


def _take_back(order: Order, claims: Claims, claim: Claim, because: Because, now: datetime) -> UUID:
    start = _saga(order, claim, because)
    start_sagas([start], now=now)
    claim.cancel_saga_id = start.id
    claims.hold(claim, now=now)
    _publish(order, claim, because, now)
    return start.id


def _insert(order: Order, claim: Claim, because: Because, now: datetime) -> None:
    FulfilmentOrder(
        id=claim.id, shop_id=order.shop_id, order_id=order.id, number=claim.number, state=claim.state,
        currency=order.currency, lines=claim.lines, pieces=sum(claim.pieces.values()),
        share_minor=claim.share_minor, saga_id=claim.saga_id, cancel_saga_id=claim.cancel_saga_id,
        asked_by=because.actor.strip()[:100], reason=because.reason.strip()[:500], asked_at=now, moved_at=now,
    ).save(force_insert=True)  # fmt: skip


def _publish(order: Order, claim: Claim, because: Because, now: datetime) -> None:
    assert claim.cancel_saga_id is not None  # noqa: S101 - it was started just now
    fact = ParcelCancelAsked(
        fulfilment_order_id=claim.id, order_id=order.id, shop_id=order.shop_id, number=claim.number,
        lines=tuple(claim.lines), share_minor=claim.share_minor, currency=order.currency, saga_id=claim.cancel_saga_id,
    )  # fmt: skip
    publish(
        [Append(claim.id, claim.version, fact)], now=now, actor=because.actor, reason=because.reason,
        correlation_id=because.correlation_id or None,
    )  # fmt: skip


def _left(claims: Sequence[Claim]) -> set[UUID]:
    """Those of which the carrier is known to have the parcel."""
    by_shipment = {claim.shipment_id: claim.id for claim in claims if claim.shipment_id}
    return {by_shipment[found] for (found,) in rows(LEFT, [list(by_shipment)])} if by_shipment else set()


def _saga(order: Order, claim: Claim, because: Because) -> StartSaga:
    back, saga_id = claim.share_minor if claim.ready_at else 0, uuid7()
    return StartSaga(
        id=saga_id,
        definition=CANCEL_PARCEL,
        # The version is of an earlier cancellation that was lost, the end of the id for credit notes of that name.
        reference=f"{order.external_reference}/p{claim.number}-cancel-{claim.version}-{saga_id.hex[-8:]}",
        shop_id=order.shop_id,
        subject_id=claim.id,
        label=f"Cancel parcel {claim.number} of order {order.external_reference}",
        amount_minor=claim.share_minor,
        currency=order.currency,
        search_key=order.external_reference,
        context=_context(order, claim, because, back),
        correlation_id=because.correlation_id,
    )


def _context(order: Order, claim: Claim, because: Because, back: int) -> dict[str, Any]:
    return {
        "order_id": str(order.id),
        "lines": [{"sku": line["sku"], "quantity": line["quantity"]} for line in claim.lines],
        "whole": False,
        "refund_minor": back,
        "credit_minor": because.credit_minor,
        "note_id": because.note_id,
        "reason": because.reason.strip()[:500],
        "paid_by": str(queries.fulfilment_saga(order.id)),
    }
