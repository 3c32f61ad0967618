"""Ending a request that is owed although nobody pays it: its step was skipped, so there is no refund behind it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from orders import repository
from orders.contract import RefundClosed
from orders.refunding import requests
from orders.refunding.commands import RefundNotFound
from orders.refunding.models import RefundRequest
from sagas.log import Append, publish
from sagas.operate import ReasonMissing
from sagas.verdicts import Refused


class NotOwedByNobody(Refused):
    """Only what is owed without a refund behind it is ended so. What the provider could not pay is repaid instead."""

    code = "orders.refund_not_closable"


def close_owed(request_id: UUID, *, actor: str, reason: str, now: datetime) -> RefundRequest:
    """End a request that is owed and has no refund: it was settled outside, or is not owed. Moves no money.

    The order goes on counting it, so that it is not promised again. Once, under the order's lock. Publishes
    RefundClosed. Raises ReasonMissing, RefundNotFound, or NotOwedByNobody.
    """
    if not actor.strip() or not reason.strip():
        raise ReasonMissing
    with transaction.atomic():
        request = _locked(request_id)
        if not is_closable(request):
            raise NotOwedByNobody(detail=f"it is {request.state}")
        request.state, request.version, request.moved_at = (
            RefundRequest.State.CLOSED,
            request.version + 1,
            now,
        )
        request.dropped_minor, request.owed_minor = request.owed_minor, 0
        request.closed_by, request.closed_reason = actor.strip()[:100], reason.strip()[:500]
        request.save()
        fact = RefundClosed(
            **requests.facts_of(request), dropped_minor=request.dropped_minor, reason=request.closed_reason
        )
        publish([Append(request.pk, request.version, fact)], now=now, actor=actor, reason=reason)
    return request


def is_closable(request: RefundRequest) -> bool:
    """Whether it is owed, and no refund stands behind it."""
    return (
        request.state == RefundRequest.State.OWED
        and request.ended_at is not None
        and request.refund_id is None
    )


def _locked(request_id: UUID) -> RefundRequest:
    order_id = RefundRequest.objects.filter(pk=request_id).values_list("order_id", flat=True).first()
    if order_id is None:
        raise RefundNotFound(detail=str(request_id))
    repository.load([order_id])
    return RefundRequest.objects.select_for_update(no_key=True).get(pk=request_id)
