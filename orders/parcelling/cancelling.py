"""Cancelling pieces that no carrier has: of one parcel, or all that is left of an order. Under the order's lock.

Pieces that are in no parcel are claimed for it, so that nobody packs them meanwhile. However many parcels an order has,
the statements are the same few.
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
from sagas.queries import is_unfinished
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
    """Who wants something of parcels, and why."""

    actor: str
    reason: str
    correlation_id: str = ""

    def check(self) -> None:
        """Raise ReasonMissing unless it says both."""
        if not self.actor.strip() or not self.reason.strip():
            raise ReasonMissing


def locked(order_id: UUID, shop_id: UUID | None = None) -> Order:
    """An order under its lock, with its lines. Raises OrderNotFound, also for another shop's order."""
    order = repository.load([order_id], with_lines=True).get(order_id)
    if order is None or shop_id not in (None, order.shop_id):
        raise OrderNotFound
    return order


def cancel_parcel(
    order_id: UUID, parcel_id: UUID, *, because: Because, now: datetime, shop_id: UUID | None = None
) -> UUID:
    """Ask to cancel one parcel that has not left; the saga that gives it back. Safe to repeat.

    The carrier decides: if it has the parcel, that goes on. Raises OrderNotFound (also for another shop's order),
    NoSuchParcel, ParcelUnderWay, ParcelEnded, or AlreadyHandedOver. Publishes ParcelCancelAsked.
    """
    because.check()
    with transaction.atomic():
        order = locked(order_id, shop_id)
        claims = Claims([order_id])
        claim = claims.by_id.get(parcel_id)
        if claim is None:
            raise NoSuchParcel
        if claim.state is State.CANCELLING and claim.cancel_saga_id:
            return claim.cancel_saga_id
        _check(claim)
        [saga_id] = _give_back(order, claims, [claim], because, now)
        return saga_id


def _check(claim: Claim) -> None:
    if claim.state is State.CLAIMED:
        raise ParcelUnderWay(detail=f"parcel {claim.number}")
    if claim.state is not State.READY:
        raise ParcelEnded(detail=f"parcel {claim.number} is {claim.state}")
    if claim.id in left([claim]):
        raise AlreadyHandedOver(detail=f"parcel {claim.number}: a return is needed")


def cancel_rest(order: Order, *, because: Because, now: datetime, patient: bool = False) -> UUID | None:
    """Cancel all of a locked order that has not left; a saga that gives back, or None if there is nothing to.

    Safe to repeat. Raises ParcelUnderWay unless `patient`: then the wish is kept, and a parcel that is just being
    booked or paid for is cancelled as soon as that is decided. Publishes ParcelCancelAsked, once for each parcel and
    once for the pieces that are in none.
    """
    claims = Claims([order.id])
    mine = claims.of(order.id)
    under_way = [claim for claim in mine if claim.state is State.CLAIMED]
    if under_way and not patient:
        raise ParcelUnderWay(detail=f"parcel {under_way[0].number}")
    ready = [claim for claim in mine if claim.state is State.READY]
    gone = left(ready)
    asked = [claim.cancel_saga_id for claim in mine if claim.state is State.CANCELLING]
    wanted = [claim for claim in ready if claim.id not in gone]
    if free := rules.free_of(order.lines.values(), claims.standing(order.id)):
        wanted.append(_claim_free(order, claims, free))
    started = _give_back(order, claims, [*_not_wished_yet(under_way), *wanted], because, now)
    found = [*(claim.cancel_saga_id for claim in under_way), *started, *asked]
    return next((saga_id for saga_id in reversed(found) if saga_id), None)


def cancel_freed(order: Order, claims: Claims, claim: Claim, *, because: Because, now: datetime) -> None:
    """Cancel what a parcel that was given up has freed, as far as nobody else has claimed it since."""
    free = rules.free_of(order.lines.values(), claims.standing(order.id))
    freed = {p: n for p, pieces in claim.pieces.items() if (n := min(pieces, free.get(p, 0)))}
    if freed:
        _give_back(order, claims, [_claim_free(order, claims, freed)], because, now)


def left(claims: Sequence[Claim]) -> set[UUID]:
    """Those of which the carrier is known to have the parcel."""
    by_shipment = {claim.shipment_id: claim.id for claim in claims if claim.shipment_id}
    return {by_shipment[found] for (found,) in rows(LEFT, [list(by_shipment)])} if by_shipment else set()


def asked_to_cancel(order: Order, claim: Claim) -> ParcelCancelAsked:
    """The fact that a saga is to give a parcel back, or pieces that are in none."""
    return ParcelCancelAsked(
        fulfilment_order_id=claim.id, order_id=order.id, shop_id=order.shop_id, number=claim.number,
        lines=tuple(claim.lines), share_minor=claim.share_minor, currency=order.currency,
        saga_id=claim.cancel_saga_id or claim.saga_id,
    )  # fmt: skip


def _not_wished_yet(under_way: Sequence[Claim]) -> list[Claim]:
    """Those whose cancellation nobody waits for."""
    return [c for c in under_way if c.cancel_saga_id is None or not is_unfinished(c.cancel_saga_id)]


def _claim_free(order: Order, claims: Claims, pieces: Mapping[int, int]) -> Claim:
    """A claim on free pieces, so that nobody ships them. It is stored with its saga."""
    claim = Claim(
        uuid7(), order.shop_id, order.id, len(claims.of(order.id)) + 1, 1, uuid7(), None, None, None,
        State.CANCELLING, rules.lines_of(order, pieces), rules.share_of(order, pieces, claims.standing(order.id)),
    )  # fmt: skip
    claims.by_id[claim.id] = claim
    return claim


def _give_back(
    order: Order, claims: Claims, wanted: Sequence[Claim], because: Because, now: datetime
) -> list[UUID]:
    """Start the sagas that give these back, and hold what is decided. One under way is held by its saga, later."""
    if not wanted:
        return []
    starts = _sagas(order, wanted, because)
    start_sagas(starts, now=now)
    for claim, start in zip(wanted, starts, strict=True):
        _hand_to(claims, claim, start.id)
    _insert(order, [claim for claim in wanted if claim.saga_id == claim.cancel_saga_id], because, now)
    claims.save(now=now)
    facts = [
        Append(c.id, c.version, asked_to_cancel(order, c)) for c in wanted if c.state is State.CANCELLING
    ]
    publish(
        facts, now=now, actor=because.actor, reason=because.reason,
        correlation_id=because.correlation_id or None,
    )  # fmt: skip
    return [start.id for start in starts]


def _hand_to(claims: Claims, claim: Claim, saga_id: UUID) -> None:
    claim.cancel_saga_id = saga_id
    if claim.state is State.CANCELLING:  # pieces that are in no parcel: it was just made
        claim.saga_id = saga_id
    elif claim.state is State.READY:
        claims.hold(claim)
    else:
        claims.note(claim)


def _insert(order: Order, new: Sequence[Claim], because: Because, now: datetime) -> None:
    FulfilmentOrder.objects.bulk_create(
        FulfilmentOrder(
            id=claim.id, shop_id=order.shop_id, order_id=order.id, number=claim.number, state=claim.state,
            currency=order.currency, lines=claim.lines, pieces=sum(claim.pieces.values()),
            share_minor=claim.share_minor, saga_id=claim.saga_id, cancel_saga_id=claim.cancel_saga_id,
            asked_by=because.actor.strip()[:100], reason=because.reason.strip()[:500], asked_at=now, moved_at=now,
        )
        for claim in new
    )  # fmt: skip


def _sagas(order: Order, claims: Sequence[Claim], because: Because) -> list[StartSaga]:
    paid_by = str(queries.fulfilment_saga(order.id))
    return [_saga(order, claim, because, paid_by) for claim in claims]


def _saga(order: Order, claim: Claim, because: Because, paid_by: str) -> StartSaga:
    saga_id = uuid7()
    what = (
        "pieces" if claim.state is State.CANCELLING else f"parcel {claim.number}"
    )  # claimed just now, in no parcel
    return StartSaga(
        id=saga_id,
        definition=CANCEL_PARCEL,
        # The version is of an earlier cancellation that was lost, the end of the id for credit notes of that name.
        reference=f"{order.external_reference}/p{claim.number}-cancel-{claim.version}-{saga_id.hex[-8:]}",
        shop_id=order.shop_id,
        subject_id=claim.id,
        label=f"Cancel {what} of order {order.external_reference}",
        amount_minor=claim.share_minor,
        currency=order.currency,
        search_key=order.external_reference,
        context=_context(order, claim, because, paid_by),
        correlation_id=because.correlation_id,
    )


def _context(order: Order, claim: Claim, because: Because, paid_by: str) -> dict[str, Any]:
    # One that is still under way is only given back once its share was taken.
    taken = claim.ready_at is not None or claim.state is State.CLAIMED
    return {
        "order_id": str(order.id),
        "lines": [{"sku": line["sku"], "quantity": line["quantity"]} for line in claim.lines],
        "whole": False,
        "refund_minor": claim.share_minor if taken else 0,
        "credit_minor": 0,
        "reason": because.reason.strip()[:500],
        "paid_by": paid_by,
    }
