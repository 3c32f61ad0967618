"""Where a shop sends orders, looks at them and cancels them."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orders import commands, queries
from orders.api import history
from orders.api.serializers import (
    CancelIn,
    CancelTakenOut,
    OrderIn,
    OrderLineOut,
    OrderOut,
    OrderPageOut,
    OrderQuery,
    OrderTakenOut,
)
from sagas.web.conditions import IF_MATCH, versions_matched
from sagas.web.once import once
from sagas.web.pages import cursor_after, id_in, page
from sagas.web.problems import Problem, not_found
from sagas.web.views import ApiView


def address_of(order_id: UUID) -> str:
    """Where one order is looked up."""
    return reverse("api-order", kwargs={"order_id": order_id})


class Orders(ApiView):
    """The shop's orders."""

    idempotent = True

    @extend_schema(
        operation_id="place_order", tags=["orders"], request=OrderIn, summary="Place an order",
        responses={202: OpenApiResponse(OrderTakenOut, "Stored; its saga has begun.")},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Store an order and begin its saga in one commit. Safe to repeat under one Idempotency-Key."""
        return once(request, lambda: self._place(request))

    def _place(self, request: Request) -> Response:
        sent = OrderIn(data=request.data)
        sent.is_valid(raise_exception=True)
        now = self.now()
        placed = commands.place_order(
            sent.command(self.shop_id, now=now, style=settings.WAYBILL.fulfilment_style),
            now=now,
            correlation_id=self.correlation_id,
            actor=self.caller.actor,
        )
        if placed.existing:
            raise _duplicate(placed)
        body = {
            "id": str(placed.order_id),
            "external_reference": placed.external_reference,
            "state": placed.state.value,
        }
        return Response(body, status=202, headers={"Location": address_of(placed.order_id)})

    @extend_schema(
        operation_id="list_orders", tags=["orders"], parameters=[OrderQuery], responses=OrderPageOut,
        summary="List orders, newest first",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """One page of the shop's orders. Pages stay true while new orders come in."""
        asked = OrderQuery.read(request.query_params)
        before = id_in(asked.pop("cursor"))
        found = queries.list_orders(shop_id=self.shop_id, before=before, **asked)
        more = cursor_after(str(found.before)) if found.before else None
        return page(request, OrderOut(found.orders, many=True).data, more)


class OrderDetail(ApiView):
    """One order of the shop."""

    @extend_schema(
        operation_id="get_order", tags=["orders"], parameters=[history.AS_OF], responses=history.OrderAtOut,
        summary="An order, now or as it stood",
    )  # fmt: skip
    def get(self, request: Request, order_id: UUID) -> Response:
        """The order with its lines. With If-None-Match, 304 while it has not changed."""
        if "as_of" in request.query_params:
            return history.order_as_of(request, order_id, shop_id=self.shop_id)
        order = queries.get_order(order_id, shop_id=self.shop_id)
        if order is None:
            raise not_found()
        tag = f'"{order.version}"'
        if request.headers.get("If-None-Match") == tag:
            return Response(status=304, headers={"ETag": tag})
        lines = OrderLineOut(queries.lines_of(order.pk), many=True).data
        return Response(
            {**OrderOut(order).data, "lines": lines, "charges": order.charges}, headers={"ETag": tag}
        )


class OrderCancel(ApiView):
    """The wish to cancel one order."""

    idempotent = True

    @extend_schema(
        operation_id="cancel_order", tags=["orders"], request=CancelIn, summary="Cancel an order",
        parameters=[IF_MATCH],
        responses={202: OpenApiResponse(CancelTakenOut, "Taken; what was done is being given back.")},
    )  # fmt: skip
    def post(self, request: Request, order_id: UUID) -> Response:
        """Ask to cancel a whole order. Never refused for being early; too late once it was handed over.

        With If-Match only if it still stands as the client has seen it.
        """
        return once(request, lambda: self._cancel(request, order_id))

    def _cancel(self, request: Request, order_id: UUID) -> Response:
        sent = CancelIn(data=request.data)
        sent.is_valid(raise_exception=True)
        answer = commands.cancel_order(
            order_id,
            shop_id=self.shop_id,
            actor=self.caller.actor,
            reason=sent.validated_data["reason"],
            now=self.now(),
            correlation_id=self.correlation_id,
            seen=versions_matched(request),
        )
        saga_id = str(answer.saga_id) if answer.saga_id else None
        body = {"id": str(order_id), "state": str(answer.state), "saga_id": saga_id}
        return Response(body, status=202, headers={"Location": address_of(order_id)})


def _duplicate(placed: commands.Placed) -> Problem:
    return Problem(
        409,
        "orders.duplicate_reference",
        f"Order {placed.external_reference} was placed before, under another key.",
        order_id=str(placed.order_id),
        order=address_of(placed.order_id),
    )
