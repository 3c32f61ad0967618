"""Where a shop asks for the parcels of an order, and sees what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orders.api.serializers import CancelIn
from orders.contract import GOODS, VOUCHER
from orders.models import FulfilmentOrder
from orders.parcelling import reads
from orders.parcelling.cancelling import Because, NoSuchParcel, cancel_parcel
from orders.parcelling.commands import ask_parcel
from orders.totals import MOST_LINES, MOST_PIECES
from sagas.web.fields import StrictSerializer, Text, Whole
from sagas.web.once import once
from sagas.web.problems import not_found
from sagas.web.reading import POSITION_HEADER
from sagas.web.views import ApiView


class ParcelLineIn(StrictSerializer):
    """Pieces of one line."""

    position = Whole(min_value=1, max_value=MOST_LINES)
    quantity = Whole(min_value=1, max_value=MOST_PIECES)


class ParcelIn(StrictSerializer):
    """What goes in one parcel. Without `lines`, everything that is in no other."""

    lines = serializers.ListField(
        child=ParcelLineIn(), default=list, max_length=MOST_LINES, help_text="By the position of their line."
    )
    reason = Text(
        max_length=200,
        default="asked for by the shop",
        help_text="Kept for ever with the order: name nobody in it.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Each line once."""
        positions = [line["position"] for line in attrs["lines"]]
        if len(set(positions)) < len(positions):
            raise serializers.ValidationError({"lines": ["Each line once."]})
        return attrs


class ParcelLineOut(serializers.Serializer[Any]):
    """Pieces of one line."""

    position = serializers.IntegerField()
    sku = serializers.CharField()
    kind = serializers.ChoiceField([GOODS, VOUCHER])
    quantity = serializers.IntegerField()


class ParcelOut(serializers.ModelSerializer[FulfilmentOrder]):
    """Pieces of an order that go in one parcel, and their share of its total.

    claimed: its label is being bought and its share taken. ready: it is paid for, the carrier may take it. given_up:
    its label or its share was refused, `code` says why; its pieces may go in another. cancelling, cancelled: nobody
    ships its pieces, and nothing of them is charged; such pieces may never have been in a parcel.
    """

    order_id = serializers.UUIDField()
    lines = ParcelLineOut(many=True, read_only=True)

    class Meta:
        model = FulfilmentOrder
        fields = (
            "id", "order_id", "number", "state", "code", "currency", "share_minor", "lines", "reason", "asked_at",
            "ready_at", "shipment_id",
        )  # fmt: skip
        read_only_fields = fields


class ParcelsOut(serializers.Serializer[Any]):
    """An order's parcels, by number."""

    items = ParcelOut(many=True)


class ParcelCancelOut(serializers.Serializer[Any]):
    """The request to cancel a parcel is taken; `saga_id` gives back what was done for it."""

    id = serializers.UUIDField()
    saga_id = serializers.UUIDField()


class OrderFulfilments(ApiView):
    """Parcels of one order."""

    idempotent = True

    @extend_schema(
        operation_id="ask_parcel", tags=["orders"], request=ParcelIn, summary="Ship pieces of an order in a parcel",
        parameters=[POSITION_HEADER],
        responses={202: OpenApiResponse(ParcelOut, "Taken: the pieces are its own, its saga has begun.")},
    )  # fmt: skip
    def post(self, request: Request, order_id: UUID) -> Response:
        """Claim pieces of an order that was placed with `ship_in_parcels`. Safe to repeat under one Idempotency-Key.

        No piece is ever in two parcels: of two that ask for it at once one is taken, the other is 409.
        """
        return once(request, lambda now: self._ask(request, order_id, now))

    def _ask(self, request: Request, order_id: UUID, now: datetime) -> Response:
        sent = ParcelIn.check(request.data)
        parcel = ask_parcel(
            order_id, {line["position"]: line["quantity"] for line in sent["lines"]}, shop_id=self.shop_id,
            actor=self.caller.actor, reason=sent["reason"], now=now, correlation_id=self.correlation_id,
        )  # fmt: skip
        where = reverse("api-order-fulfilment", kwargs={"order_id": order_id, "parcel_id": parcel.pk})
        return Response(ParcelOut(parcel).data, status=202, headers={"Location": where})

    @extend_schema(
        operation_id="list_parcels", tags=["orders"], responses=ParcelsOut, summary="An order's parcels"
    )
    def get(self, request: Request, order_id: UUID) -> Response:
        """Every parcel that was asked for, by number. Where it is on its way, the order's shipments say."""
        del request
        found = reads.of_order(order_id, shop_id=self.shop_id)
        if found is None:
            raise not_found()
        return Response({"items": ParcelOut(found, many=True).data})


class OrderFulfilment(ApiView):
    """One parcel of one order."""

    @extend_schema(
        operation_id="get_parcel", tags=["orders"], responses=ParcelOut, summary="A parcel of an order"
    )
    def get(self, request: Request, order_id: UUID, parcel_id: UUID) -> Response:
        """The parcel as it stands now."""
        del request
        found = reads.get(parcel_id, order_id=order_id, shop_id=self.shop_id)
        if found is None:
            raise not_found()
        return Response(ParcelOut(found).data)


class OrderFulfilmentCancel(ApiView):
    """The wish to cancel one parcel."""

    idempotent = True

    @extend_schema(
        operation_id="cancel_parcel", tags=["orders"], request=CancelIn, summary="Cancel a parcel of an order",
        parameters=[POSITION_HEADER],
        responses={202: OpenApiResponse(ParcelCancelOut, "Taken; what was done for it is being given back.")},
    )  # fmt: skip
    def post(self, request: Request, order_id: UUID, parcel_id: UUID) -> Response:
        """Cancel a parcel that has not left: its label, its goods and its share go back. The carrier decides.

        If the carrier has it already, it goes on, and the others are not touched. Pieces that are in no parcel are
        cancelled with the order.
        """
        return once(request, lambda now: self._cancel(request, order_id, parcel_id, now))

    def _cancel(self, request: Request, order_id: UUID, parcel_id: UUID, now: datetime) -> Response:
        sent = CancelIn.check(request.data)
        because = Because(actor=self.caller.actor, reason=sent["reason"], correlation_id=self.correlation_id)
        try:
            saga_id = cancel_parcel(order_id, parcel_id, because=because, now=now, shop_id=self.shop_id)
        except NoSuchParcel:
            raise not_found() from None
        where = reverse("api-order-fulfilment", kwargs={"order_id": order_id, "parcel_id": parcel_id})
        body = {"id": str(parcel_id), "saga_id": str(saga_id)}
        return Response(body, status=202, headers={"Location": where})
