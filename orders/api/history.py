"""An order's past over the API: as it stood at a version or a moment, and every event of it."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orders import history
from orders.api.answers import OrderDetailOut, OrderLineOut, OrderOut
from orders.api.serializers import ChargeIn
from orders.history import OrderThen
from sagas.log import Recorded
from sagas.web.fields import Moment
from sagas.web.pages import PageQuery, cursor_after, number_in, page
from sagas.web.problems import Problem, not_found
from sagas.web.views import ApiView

AS_OF = OpenApiParameter(
    "as_of",
    str,
    description="A version, or a moment (RFC 3339, its `+` sent as `%2B`): the order as it stood then.",
)
VERSION = re.compile(r"[0-9]{1,18}")

#: What an order's own stream tells of it.
FIELDS = (
    "id", "external_reference", "version", "state", "on_hold", "hold_reason", "end_code", "currency", "total_minor",
    "goods_minor", "charges_minor", "cancelled_minor", "returned_minor", "country", "fulfilment", "placed_at",
    "received_at", "moved_at",
)  # fmt: skip


class AsOfOut(serializers.Serializer[Any]):
    """The event after which an order is shown: its version, and when it was committed."""

    version = serializers.IntegerField()
    at = serializers.DateTimeField()


class OrderThenOut(OrderOut):
    """An order as it stood: what its own events tell of it."""

    lines = OrderLineOut(many=True, read_only=True)
    charges = ChargeIn(many=True, read_only=True)
    as_of = AsOfOut()

    class Meta(OrderOut.Meta):
        fields = (*FIELDS, "lines", "charges", "as_of")
        read_only_fields = fields


#: What GET of one order answers: all that the read side knows of it, or with `as_of` the past.
NOW_OR_THEN = PolymorphicProxySerializer(
    component_name="OrderNowOrThen", serializers=[OrderDetailOut, OrderThenOut], resource_type_field_name=None
)


class OrderEventOut(serializers.Serializer[Any]):
    """One fact. `data` is as described in docs/events, in the newest version of its type. No personal data."""

    version = serializers.IntegerField(help_text="Its number in the order's stream, from 1.")
    type = serializers.CharField()
    at = serializers.DateTimeField()
    actor = serializers.CharField(help_text="Who caused it.")
    reason = serializers.CharField(help_text="Why, if somebody said so.")
    data = serializers.DictField()  # type: ignore[assignment]  # a field, not the property


class OrderEventPageOut(serializers.Serializer[Any]):
    """One page of an order's events, oldest first."""

    items = OrderEventOut(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class OrderEvents(ApiView):
    """What happened to one order of the shop."""

    @extend_schema(
        operation_id="list_order_events", tags=["orders"], parameters=[PageQuery], responses=OrderEventPageOut,
        summary="An order's events, oldest first",
    )  # fmt: skip
    def get(self, request: Request, order_id: UUID) -> Response:
        """One page of the order's events. Pages stay true while more happens to it."""
        asked = PageQuery.read(request.query_params)
        after = number_in(asked["cursor"])
        if not history.exists(order_id, shop_id=self.shop_id):
            raise not_found()
        found = history.events_of(order_id, after=after, limit=asked["limit"])
        more = cursor_after(str(found.after)) if found.after else None
        return page(request, [_event(item) for item in found.events], more)


def order_as_of(request: Request, order_id: UUID, *, shop_id: UUID) -> Response:
    """The order as it stood. Raises Problem: 400 for a malformed `as_of`, 404 when there was no order then."""
    if not history.exists(order_id, shop_id=shop_id):
        raise not_found()
    asked = request.query_params.getlist("as_of")
    then = _then(order_id, asked[0] if len(asked) == 1 else "")
    return Response(document(then), headers={"ETag": f'"{then.version}"'})


def document(then: OrderThen) -> dict[str, Any]:
    """The order of a past version, in the form of today's."""
    found = {name: getattr(then.order, name) for name in FIELDS}
    lines = [asdict(line) for line in then.lines]
    as_of = {"version": then.version, "at": then.at}
    return {**found, "lines": lines, "charges": then.order.charges, "as_of": as_of}


def _then(order_id: UUID, asked: str) -> OrderThen:
    if VERSION.fullmatch(asked):
        return _at_version(order_id, int(asked))
    try:
        moment = Moment().to_internal_value(asked)
    except serializers.ValidationError:
        detail = "A version, as in 3, or a time with its offset, as in 2026-01-05T09:00:00Z."
        raise Problem(400, "api.as_of_invalid", detail) from None
    found = history.at_moment(order_id, moment)
    if found is None:
        raise _not_yet()
    return found


def _at_version(order_id: UUID, version: int) -> OrderThen:
    if version < 1:
        raise _not_yet()
    found = history.at_version(order_id, version)
    if found is None:
        newest = history.newest_version(order_id)
        raise Problem(404, "orders.no_such_version", f"It is at version {newest}.", newest=newest)
    return found


def _not_yet() -> Problem:
    return Problem(404, "orders.not_placed_yet", "The order had not been placed then.")


def _event(item: Recorded) -> dict[str, Any]:
    return {
        "version": item.version,
        "type": item.type,
        "at": item.at,
        "actor": item.metadata.get("actor", ""),
        "reason": item.metadata.get("reason", ""),
        "data": item.event.to_data(),
    }
