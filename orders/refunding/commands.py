"""Asking for a refund, and deciding on one that needs a second person. Everything under the order's lock."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from orders import repository
from orders.aggregate import InParcels, Order
from orders.commands import OrderNotFound
from orders.contract import REFUND_ORDER, RefundApproved, RefundAsked, RefundDeclined
from orders.parcelling.claims import still_to_leave
from orders.refunding import requests, rules
from orders.refunding.limits import needs_approval
from orders.refunding.models import RefundRequest
from orders.refunding.rules import Wanted
from orders.returns import store
from sagas.engine import StartSaga, start_sagas
from sagas.events import Event
from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.operate import ReasonMissing
from sagas.verdicts import Refused

State = RefundRequest.State


class RefundNotFound(Refused):
    """There is no such request. HTTP 404."""

    code = "orders.refund_not_found"


class RefundDecided(Refused):
    """Somebody has decided already, or nobody had to."""

    code = "orders.refund_decided"


class OwnRefund(Refused):
    """Who asked for a refund cannot approve it: that takes a second person."""

    code = "orders.own_refund"


def ask_refund(
    order_id: UUID,
    wanted: Wanted,
    *,
    actor: str,
    reason: str,
    now: datetime,
    shop_id: UUID | None = None,
    correlation_id: str = "",
    request_id: UUID | None = None,
) -> RefundRequest:
    """Ask for money of an order to go back. Its saga starts in the same commit, unless a second person must decide.

    Safe to repeat under one `request_id`: a form that is sent twice asks once.

    Waits at most for the order's row: of two that ask at once the second is decided by what the first has left. A
    large one locks nothing until it is approved, but what it asks for is promised to nobody else. Raises
    OrderNotFound (also for another shop's order), IllegalMove (nothing was taken, or all is being given back),
    InParcels (some of it may still leave or be cancelled), OrderLocked, RefundTooLarge (it says what is left),
    MoreThanOrdered, SpokenFor (pieces are in an open return), NoSuchLine or NothingToRefund. Publishes RefundAsked and
    RefundOpened.
    """
    _check_words(actor, reason)
    with transaction.atomic():
        order = _locked(order_id, shop_id)
        if (before := _asked_before(request_id, order_id)) is not None:
            return before
        _check_refundable(order)
        settled = rules.settle(wanted, order, requests.promised_of(order_id), _in_returns(order_id))
        request = RefundRequest(
            id=request_id or uuid7(), shop_id=order.shop_id, order_id=order_id, currency=order.currency,
            amount_minor=settled.amount_minor, lines=settled.lines, reason=reason.strip()[:500],
            asked_by=actor.strip()[:100], asked_at=now, moved_at=now, state=State.AWAITING_APPROVAL,
        )  # fmt: skip
        # All that was asked for of this order alone counts: a large refund in small parts is a large one.
        asked_minor = requests.alone_minor(order_id) + request.amount_minor
        alone = not needs_approval(asked_minor, request.currency)
        if alone:
            _begin(request, order, actor=actor, reason=reason, now=now, correlation_id=correlation_id)
        request.save(force_insert=True)
        facts = requests.facts_of(request)
        asked = RefundAsked(**facts, lines=tuple(request.lines), needs_approval=not alone)
        _tell(request, asked, actor=actor, reason=reason, now=now, correlation_id=correlation_id)
    return request


def approve_refund(
    request_id: UUID, *, actor: str, reason: str, now: datetime, correlation_id: str = ""
) -> RefundRequest:
    """Say yes to a refund that waits, as a second person. Everything is checked anew under the order's lock.

    Raises RefundNotFound, RefundDecided, OwnRefund, IllegalMove, InParcels, OrderLocked, RefundTooLarge,
    MoreThanOrdered or SpokenFor; then it still waits. Publishes RefundApproved and RefundOpened.
    """
    _check_words(actor, reason)
    with transaction.atomic():
        order, request = _waiting(request_id)
        if request.asked_by == actor.strip()[:100]:
            raise OwnRefund(detail=f"{request.asked_by} has asked for it")
        rules.check_again(request.amount_minor, request.lines, order, _in_returns(order.id))
        _begin(request, order, actor=actor, reason=reason, now=now, correlation_id=correlation_id)
        _decide(request, actor=actor, reason=reason, now=now)
        approved = RefundApproved(**requests.facts_of(request), saga_id=_saga_of(request))
        _tell(request, approved, actor=actor, reason=reason, now=now, correlation_id=correlation_id)
    return request


def decline_refund(
    request_id: UUID, *, actor: str, reason: str, now: datetime, correlation_id: str = ""
) -> RefundRequest:
    """Say no to a refund that waits; who asked may take it back so. What it asked for is free again.

    Raises RefundNotFound or RefundDecided. Publishes RefundDeclined.
    """
    _check_words(actor, reason)
    with transaction.atomic():
        _, request = _waiting(request_id)
        request.state = State.DECLINED
        _decide(request, actor=actor, reason=reason, now=now)
        declined = RefundDeclined(**requests.facts_of(request), reason=request.decision_reason)
        _tell(request, declined, actor=actor, reason=reason, now=now, correlation_id=correlation_id)
    return request


def _check_refundable(order: Order) -> None:
    """Raise IllegalMove, InParcels or OrderLocked if no money of a locked order can be paid back now."""
    order.check_refundable()
    if order.in_parcels and still_to_leave([order.id]):
        raise InParcels(detail=f"{order.external_reference}: not all of it has left or was cancelled")


def _in_returns(order_id: UUID) -> dict[int, int]:
    """Pieces in open returns of a locked order, by position."""
    return store.spoken_for(store.of_orders([order_id]).get(order_id, ()))


def _check_words(actor: str, reason: str) -> None:
    if not actor.strip() or not reason.strip():
        raise ReasonMissing


def _locked(order_id: UUID, shop_id: UUID | None) -> Order:
    order = repository.load([order_id], with_lines=True).get(order_id)
    if order is None or shop_id not in (None, order.shop_id):
        raise OrderNotFound
    return order


def _asked_before(request_id: UUID | None, order_id: UUID) -> RefundRequest | None:
    found = RefundRequest.objects.filter(pk=request_id).first() if request_id else None
    if found is not None and found.order_id != order_id:
        raise RefundNotFound(detail=str(request_id))
    return found


def _waiting(request_id: UUID) -> tuple[Order, RefundRequest]:
    """A request that waits for a decision, locked behind its order."""
    found = RefundRequest.objects.filter(pk=request_id).values_list("order_id", flat=True).first()
    if found is None:
        raise RefundNotFound(detail=str(request_id))
    order = _locked(found, None)
    request = RefundRequest.objects.select_for_update(no_key=True).get(pk=request_id)
    if request.state != State.AWAITING_APPROVAL:
        raise RefundDecided(detail=f"it is {request.state}")
    return order, request


def _begin(
    request: RefundRequest, order: Order, *, actor: str, reason: str, now: datetime, correlation_id: str
) -> None:
    """Start the saga and lock the order for it, in the caller's transaction."""
    _check_refundable(order)
    [saga_id] = start_sagas([_saga(request, order, correlation_id)], now=now)
    order.open_refund(saga_id, request.pk, now=now)
    repository.save([order], now=now, actor=actor, reason=reason, correlations={order.id: correlation_id})
    request.saga_id, request.state = saga_id, State.RUNNING


def _saga(request: RefundRequest, order: Order, correlation_id: str) -> StartSaga:
    # The version makes the reference new for each refund of an order, and it stays readable at the provider. The end
    # of its id keeps it apart from a credit note that a shop calls "refund-4": one reference is one refund there.
    return StartSaga(
        definition=REFUND_ORDER,
        reference=f"{order.external_reference}/refund-{order.version}-{request.pk.hex[-8:]}",
        shop_id=order.shop_id,
        subject_id=order.id,
        label=f"Refund of order {order.external_reference}",
        amount_minor=request.amount_minor,
        currency=request.currency,
        search_key=order.external_reference,
        context={"order_id": str(order.id), "refund_minor": request.amount_minor, "credit_minor": 0},
        correlation_id=correlation_id,
    )


def _decide(request: RefundRequest, *, actor: str, reason: str, now: datetime) -> None:
    request.decided_by, request.decided_at = actor.strip()[:100], now
    request.decision_reason, request.moved_at = reason.strip()[:500], now
    request.version += 1
    request.save(
        update_fields=[
            "state", "saga_id", "version", "decided_by", "decided_at", "decision_reason", "moved_at",
        ]
    )  # fmt: skip


def _saga_of(request: RefundRequest) -> UUID:
    if request.saga_id is None:
        raise LookupError(f"refund request {request.pk} has no saga")
    return request.saga_id


def _tell(
    request: RefundRequest, fact: Event, *, actor: str, reason: str, now: datetime, correlation_id: str
) -> None:
    append = Append(request.pk, request.version, fact)
    publish([append], now=now, actor=actor, reason=reason, correlation_id=correlation_id or None)
