"""Asking for a parcel of an order. Everything under the order's lock."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from orders import queries
from orders.aggregate import Order
from orders.contract import SHIP_PARCEL, ParcelAsked
from orders.parcelling import rules
from orders.parcelling.cancelling import Because, NoSuchParcel, locked
from orders.parcelling.claims import Claims
from orders.parcelling.models import FulfilmentOrder
from orders.parcelling.rules import NotInParcels, Pieces
from orders.parcelling.states import State
from orders.states import State as OrderState
from sagas.engine import StartSaga, start_sagas
from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.verdicts import Refused


class NotReady(Refused):
    """Parcels are asked for once the order is confirmed and before it has ended."""

    code = "orders.not_ready_for_parcels"


class OnHold(Refused):
    """A person has to look at the order first."""

    code = "orders.on_hold"


def ask_parcel(
    order_id: UUID,
    wanted: Pieces,
    *,
    actor: str,
    reason: str,
    now: datetime,
    shop_id: UUID | None = None,
    correlation_id: str = "",
    request_id: UUID | None = None,
) -> FulfilmentOrder:
    """Claim pieces for one parcel, or everything that is free, and start its saga in the same commit.

    Safe to repeat under one `request_id`: a form that is sent twice asks once. Waits at most for the order's row: of
    two that want the same piece one has it. Raises OrderNotFound (also for another shop's order), NotInParcels,
    NotReady, OnHold, PiecesTaken, NothingFree, or NoSuchParcel for a `request_id` of another order's parcel. Publishes
    ParcelAsked.
    """
    because = Because(actor=actor, reason=reason, correlation_id=correlation_id)
    because.check()
    with transaction.atomic():
        order = locked(order_id, shop_id)
        return _asked_before(request_id, order) or _ask(order, wanted, request_id or uuid7(), because, now)


def _asked_before(request_id: UUID | None, order: Order) -> FulfilmentOrder | None:
    found = FulfilmentOrder.objects.filter(pk=request_id).first() if request_id else None
    if found is not None and found.order_id != order.id:
        raise NoSuchParcel(detail=f"{request_id} is of another order")
    return found


def check_open(order: Order) -> None:
    """Raise NotInParcels, NotReady or OnHold if no parcel of it can be asked for now."""
    if not order.in_parcels:
        raise NotInParcels(detail=order.external_reference)
    if order.state not in (OrderState.CONFIRMED, OrderState.PROCESSING):
        raise NotReady(detail=f"{order.external_reference} is {order.state}")
    if order.on_hold:
        raise OnHold(detail=order.hold_reason)


def _ask(order: Order, wanted: Pieces, id_: UUID, because: Because, now: datetime) -> FulfilmentOrder:
    check_open(order)
    claims = Claims([order.id])
    pieces = rules.choose(order, wanted, claims.standing(order.id))
    claim = _claim(order, claims, pieces, id_, because=because, now=now)
    [claim.saga_id] = start_sagas([_saga(claim, order, because.correlation_id)], now=now)
    claim.save(force_insert=True)
    publish(
        [Append(claim.pk, 1, _asked(claim))], now=now, actor=because.actor, reason=because.reason,
        correlation_id=because.correlation_id or None,
    )  # fmt: skip
    return claim


def _claim(
    order: Order, claims: Claims, pieces: Pieces, id_: UUID, *, because: Because, now: datetime
) -> FulfilmentOrder:
    return FulfilmentOrder(
        id=id_, shop_id=order.shop_id, order_id=order.id, number=len(claims.of(order.id)) + 1, state=State.CLAIMED,
        currency=order.currency, lines=rules.lines_of(order, pieces), pieces=sum(pieces.values()),
        share_minor=rules.share_of(order, pieces, claims.standing(order.id)),
        asked_by=because.actor.strip()[:100], reason=because.reason.strip()[:500], asked_at=now, moved_at=now,
    )  # fmt: skip


def _asked(claim: FulfilmentOrder) -> ParcelAsked:
    return ParcelAsked(
        fulfilment_order_id=claim.pk, order_id=claim.order_id, shop_id=claim.shop_id, number=claim.number,
        lines=tuple(claim.lines), share_minor=claim.share_minor, currency=claim.currency, saga_id=claim.saga_id,
    )  # fmt: skip


def _saga(claim: FulfilmentOrder, order: Order, correlation_id: str) -> StartSaga:
    return StartSaga(
        definition=SHIP_PARCEL,
        reference=f"{order.external_reference}/p{claim.number}",
        shop_id=order.shop_id,
        subject_id=claim.pk,
        label=f"Parcel {claim.number} of order {order.external_reference}",
        amount_minor=claim.share_minor,
        currency=order.currency,
        search_key=order.external_reference,
        context=_context(claim, order),
        correlation_id=correlation_id,
    )


def _context(claim: FulfilmentOrder, order: Order) -> dict[str, Any]:
    return {
        "order_id": str(order.id),
        "person_id": str(order.person_id),
        "country": order.country,
        "location_id": None,
        "paid_by": str(queries.fulfilment_saga(order.id)),
        "share_minor": claim.share_minor,
    }
