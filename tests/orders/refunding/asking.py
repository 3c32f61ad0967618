"""People who ask for refunds and decide on them, and where these stand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings as django_settings
from django.test import override_settings

from orders import history
from orders.models import Order, OrderLine, RefundRequest
from orders.refunding.commands import (
    approve_refund,
    ask_refund,
    decline_refund,
)
from orders.refunding.rules import Wanted
from payments.gateways.base import RefundStatus
from payments.models import Payment
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.log import read
from tests.orders.giving_back.house import House

SAGA = "orders.refund_order"


def limits(default: int = 50_000, **by_currency: int) -> Any:
    """What one person may refund alone."""
    waybill = replace(django_settings.WAYBILL, refund_limits=by_currency, refund_limit=default)
    return override_settings(WAYBILL=waybill)


def ask(order: Order, wanted: Wanted, **changes: Any) -> RefundRequest:
    """As bob asks for it."""
    how = {"actor": "bob", "reason": "the mug had a crack", "now": database_now()}
    return ask_refund(order.pk, wanted, **{**how, **changes})


def whole(order: Order, **changes: Any) -> RefundRequest:
    return ask(order, Wanted(whole=True), **changes)


def part(order: Order, amount_minor: int, **changes: Any) -> RefundRequest:
    return ask(order, Wanted(amount_minor=amount_minor), **changes)


def approve(request: RefundRequest, actor: str = "ada") -> RefundRequest:
    return approve_refund(request.pk, actor=actor, reason="seen the picture", now=database_now())


def decline(request: RefundRequest, actor: str = "ada") -> RefundRequest:
    return decline_refund(request.pk, actor=actor, reason="no crack to be seen", now=database_now())


def stands(request: RefundRequest) -> tuple[str, int, int, int]:
    """State, refunded, credited and owed of a request now."""
    now = RefundRequest.objects.get(pk=request.pk)
    return now.state, now.refunded_minor, now.credited_minor, now.owed_minor


def facts(ident: UUID) -> list[str]:
    """The facts of a stream, in order."""
    return [recorded.type.partition(".")[2] for recorded in read(ident)]


def refunded_at_provider(house: House) -> int:
    """What the gateway says it has given back."""
    [payment] = Payment.objects.all()
    listed = house.gateway.refunds_of(payment.provider_id)
    assert isinstance(listed, tuple)
    return sum(one.amount_minor for one in listed if one.status == RefundStatus.SUCCEEDED)


def fresh(order: Order) -> Order:
    """The order as it is now, which must be what its events say."""
    now, told = Order.objects.get(pk=order.pk), history.rebuild(order.pk)
    assert told is not None
    assert {name: getattr(now, name) for name in told.snapshot()} == told.snapshot()
    lines = {
        line.position: (line.refunded_quantity, line.refunded_minor)
        for line in OrderLine.objects.filter(order=now)
    }
    assert lines == {p: (line.refunded, line.refunded_minor) for p, line in told.lines.items()}
    return now


def coming(order: Order, request_id: UUID) -> str:
    """How the order's next refund is called at the provider."""
    version = Order.objects.get(pk=order.pk).version
    return f"{order.external_reference}/refund-{version}-{request_id.hex[-8:]}"


def fails(house: House, order: Order, times: int | None = None) -> RefundRequest:
    """A refund of the whole order that the provider cannot pay."""
    ident = uuid7()
    house.gateway.script("refund", coming(order, ident), "decline", times=times, code="account_closed")
    request = whole(order, request_id=ident)
    house.settle()
    return request
