"""Where a shop sends orders, looks at them and cancels them."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orders import commands, queries
from orders.api import history
from orders.api.answers import (
    AddressCorrectedOut,
    CancelTakenOut,
    CustomerOut,
    OrderLineOut,
    OrderOut,
    OrderPageOut,
    OrderStockOut,
    OrderTakenOut,
    PaymentOut,
    ProgressOut,
    ShipmentOut,
    SummaryLineOut,
    SummaryOut,
)
from orders.api.serializers import AddressIn, CancelIn, OrderIn, OrderQuery, SummaryQuery
from orders.models import OrderLine
from orders.queries import OrderSeen
from sagas.sight import Sight
from sagas.web.conditions import IF_MATCH, versions_matched
from sagas.web.once import once
from sagas.web.pages import cursor_after, cursor_invalid, list_key_in, page
from sagas.web.problems import Problem, not_found
from sagas.web.reading import POSITION_HEADER, ReadQuery, as_of, look
from sagas.web.views import ApiView


def address_of(order_id: UUID) -> str:
    """Where one order is looked up."""
    return reverse("api-order", kwargs={"order_id": order_id})


class Orders(ApiView):
    """The shop's orders."""

    idempotent = True

    @extend_schema(
        operation_id="place_order", tags=["orders"], request=OrderIn, summary="Place an order",
        parameters=[POSITION_HEADER],
        responses={202: OpenApiResponse(OrderTakenOut, "Stored; its saga has begun.")},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Store an order and begin its saga in one commit. Safe to repeat under one Idempotency-Key."""
        return once(request, lambda now: self._place(request, now))

    def _place(self, request: Request, now: datetime) -> Response:
        style = settings.WAYBILL.fulfilment_style
        placed = commands.place_order(
            OrderIn.command(request.data, self.shop_id, now=now, style=style),
            now=now,
            correlation_id=self.correlation_id,
            actor=self.caller.actor,
        )
        if placed.existing:
            detail = f"Order {placed.external_reference} was placed before, under another key."
            raise duplicate_reference(placed.order_id, detail)
        body = {
            "id": str(placed.order_id),
            "external_reference": placed.external_reference,
            "state": placed.state.value,
        }
        return Response(body, status=202, headers={"Location": address_of(placed.order_id)})

    @extend_schema(
        operation_id="list_orders", tags=["orders"], parameters=[OrderQuery, POSITION_HEADER], responses=OrderPageOut,
        summary="List orders, newest first",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """One page of the shop's orders. Pages stay true while new orders come in."""
        asked = OrderQuery.read(request.query_params)
        after = list_key_in(asked["cursor"])
        wanted = OrderQuery.filters(asked)

        def listed(at: Sight) -> queries.OrderPage:
            return queries.list_orders(wanted, shop_id=self.shop_id, after=after, limit=asked["limit"], at=at)

        try:
            seen, found = look(queries.PROJECTION, asked["after"], listed)
        except ValueError:
            raise cursor_invalid() from None
        more = cursor_after(*found.after) if found.after else None
        return as_of(seen, page(request, [_listed(order) for order in found.orders], more))


class OrderSummary(ApiView):
    """Sums over the shop's orders."""

    @extend_schema(
        operation_id="summarise_orders", tags=["orders"], parameters=[SummaryQuery, POSITION_HEADER],
        responses=SummaryOut, summary="Sums over orders",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """How many orders were placed in a time and what became of their money. Currencies are never added up."""
        asked = SummaryQuery.read(request.query_params)
        wanted = SummaryQuery.filters(asked)

        def summed(at: Sight) -> list[queries.SummaryLine]:
            return queries.order_summary(wanted, shop_id=self.shop_id, group_by=asked["group_by"], at=at)

        seen, found = look(queries.PROJECTION, asked["after"], summed)
        return as_of(seen, Response({"items": SummaryLineOut(found, many=True).data}))


class OrderDetail(ApiView):
    """One order of the shop."""

    @extend_schema(
        operation_id="get_order", tags=["orders"], parameters=[ReadQuery, history.AS_OF, POSITION_HEADER],
        responses=history.NOW_OR_THEN, summary="An order, now or as it stood",
    )  # fmt: skip
    def get(self, request: Request, order_id: UUID) -> Response:
        """The order with its lines. With If-None-Match, 304 while it has not changed."""
        if "as_of" in request.query_params:
            return history.order_as_of(request, order_id, shop_id=self.shop_id)
        after = ReadQuery.read(request.query_params)["after"]
        seen, body = look(queries.PROJECTION, after, lambda at: self._whole(order_id, at))
        tag = _tag_of(body)
        if request.headers.get("If-None-Match") == tag:
            return as_of(seen, Response(status=304, headers={"ETag": tag}))
        return as_of(seen, Response(body, headers={"ETag": tag}))

    def _whole(self, order_id: UUID, at: Sight) -> dict[str, Any]:
        order = queries.get_order(order_id, self.shop_id, at=at)
        if order is None:
            raise not_found()
        return _whole(order, queries.lines_of(order_id, using=at.using))


class OrderCancel(ApiView):
    """The wish to cancel one order."""

    idempotent = True

    @extend_schema(
        operation_id="cancel_order", tags=["orders"], request=CancelIn, summary="Cancel an order",
        parameters=[IF_MATCH, POSITION_HEADER],
        responses={202: OpenApiResponse(CancelTakenOut, "Taken; what was done is being given back.")},
    )  # fmt: skip
    def post(self, request: Request, order_id: UUID) -> Response:
        """Ask to cancel a whole order. Never refused for being early.

        Once it was handed over it is not cancelled: a return of all that is left is opened, once however often
        this is asked, and `return_id` names it. Nothing is paid back before the goods were inspected.
        With If-Match only if it still stands as the client has seen it.
        """
        return once(request, lambda now: self._cancel(request, order_id, now))

    def _cancel(self, request: Request, order_id: UUID, now: datetime) -> Response:
        sent = CancelIn.check(request.data)
        answer = commands.cancel_order(
            order_id,
            shop_id=self.shop_id,
            actor=self.caller.actor,
            reason=sent["reason"],
            now=now,
            correlation_id=self.correlation_id,
            seen=versions_matched(request),
        )
        saga_id = str(answer.saga_id) if answer.saga_id else None
        return_id = str(answer.return_id) if answer.return_id else None
        body = {"id": str(order_id), "state": str(answer.state), "saga_id": saga_id, "return_id": return_id}
        return Response(body, status=202, headers={"Location": address_of(order_id)})


class OrderAddress(ApiView):
    """Where one order goes. It can be corrected, never read: it is kept for the label alone."""

    idempotent = True

    @extend_schema(
        operation_id="correct_address", tags=["orders"], request=AddressIn, summary="Correct where an order goes",
        parameters=[POSITION_HEADER],
        responses={202: OpenApiResponse(AddressCorrectedOut, "Corrected; the saga goes on.")},
    )  # fmt: skip
    def patch(self, request: Request, order_id: UUID) -> Response:
        """Correct parts of the address while the order waits for that, or before its label is bought.

        A label that is being bought just now is 409 `orders.address_in_use`: try again. One that was bought, and an
        order that has ended, is 409 `orders.address_fixed`. Of an order in parcels those that are asked for from now
        on go there.
        """
        return once(request, lambda now: self._correct(request, order_id, now))

    def _correct(self, request: Request, order_id: UUID, now: datetime) -> Response:
        parts, reason = AddressIn.parts(request.data)
        answer = commands.correct_address(
            order_id,
            parts,
            shop_id=self.shop_id,
            actor=self.caller.actor,
            reason=reason,
            now=now,
            correlation_id=self.correlation_id,
        )
        body = {"id": str(order_id), "state": str(answer.state), "asked_again": answer.asked_again}
        return Response(body, status=202, headers={"Location": address_of(order_id)})


def _listed(order: OrderSeen) -> dict[str, Any]:
    row = OrderOut(order.row).data  # type: ignore[arg-type]  # it has the columns of the view
    return {**row, "customer": CustomerOut(order.customer).data}


def _whole(order: OrderSeen, lines: list[OrderLine]) -> dict[str, Any]:
    row = order.row
    return {
        **_listed(order),
        "ship_in_parcels": order.in_parcels,
        "lines": OrderLineOut(lines, many=True).data,
        "charges": order.charges,
        "payment": PaymentOut(row).data,
        "stock": OrderStockOut(row).data,
        "shipment": ShipmentOut(row).data,
        "saga": ProgressOut(row).data,
    }


def _tag_of(body: dict[str, Any]) -> str:
    """Another one whenever anything of the answer is another: also when only the customer's name is.

    It begins with the order's own version, which is what an If-Match of a write is held against.
    """
    text = json.dumps(body, sort_keys=True, default=str)
    return f'"{body["version"]}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"'


def duplicate_reference(order_id: UUID, detail: str) -> Problem:
    """An earlier order has the reference, and is named."""
    where = address_of(order_id)
    return Problem(409, "orders.duplicate_reference", detail, order_id=str(order_id), order=where)
