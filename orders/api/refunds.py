"""Where a shop asks for money of an order to go back, and sees what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orders.refunding import reads
from orders.refunding.commands import ask_refund
from orders.refunding.models import RefundRequest
from orders.refunding.rules import Wanted
from orders.totals import MOST_LINES, MOST_PIECES, MOST_TOTAL_MINOR
from sagas.web.fields import StrictSerializer, Text, Whole
from sagas.web.once import once
from sagas.web.pages import PageQuery, cursor_after, id_in, page
from sagas.web.problems import not_found
from sagas.web.reading import POSITION_HEADER
from sagas.web.views import ApiView


class RefundLineIn(StrictSerializer):
    """Pieces of one line."""

    position = Whole(min_value=1, max_value=MOST_LINES)
    quantity = Whole(min_value=1, max_value=MOST_PIECES)


class RefundIn(StrictSerializer):
    """How much is to go back: `whole`, an `amount_minor` or `lines`, exactly one of them."""

    whole = serializers.BooleanField(default=False, help_text="Everything that was not given back yet.")
    amount_minor = Whole(
        min_value=1,
        max_value=MOST_TOTAL_MINOR,
        default=None,
        allow_null=True,
        help_text="In the order's currency.",
    )
    lines = serializers.ListField(
        child=RefundLineIn(), default=list, max_length=MOST_LINES,
        help_text="Pieces by the position of their line; each is worth its share of the line's total.",
    )  # fmt: skip
    reason = Text(max_length=200, help_text="Kept for ever with the order: name nobody in it.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One way, and each line once."""
        positions = [line["position"] for line in attrs["lines"]]
        if len(set(positions)) < len(positions):
            raise serializers.ValidationError({"lines": ["Each line once."]})
        if sum((attrs["whole"], attrs["amount_minor"] is not None, bool(positions))) != 1:
            raise serializers.ValidationError("Exactly one of whole, amount_minor and lines.")
        return attrs

    @classmethod
    def wanted(cls, sent: dict[str, Any]) -> Wanted:
        """The checked document as the command takes it."""
        pieces = {line["position"]: line["quantity"] for line in sent["lines"]}
        return Wanted(whole=sent["whole"], amount_minor=sent["amount_minor"] or 0, pieces=pieces)


class RefundLineOut(serializers.Serializer[Any]):
    """Pieces of one line, and what they are worth together."""

    position = serializers.IntegerField()
    sku = serializers.CharField()
    quantity = serializers.IntegerField()
    amount_minor = serializers.IntegerField()


class RefundOut(serializers.ModelSerializer[RefundRequest]):
    """A refund that was asked for.

    awaiting_approval: it is large, so a second person decides. running: it is being paid. paid: the customer has it,
    or `credited_minor` as credit. owed: the provider could not pay `owed_minor`, and a person finds another way.
    declined: a person said no, and `decision_reason` why. refused: it is not paid, since the customer's bank had taken
    the money back already. closed: it was owed, and a person has ended it; `dropped_minor` is owed no more.
    """

    order_id = serializers.UUIDField()
    lines = RefundLineOut(many=True, read_only=True)

    class Meta:
        model = RefundRequest
        fields = (
            "id", "order_id", "state", "currency", "amount_minor", "lines", "reason", "asked_at", "decided_at",
            "decision_reason", "refunded_minor", "credited_minor", "owed_minor", "dropped_minor", "ended_at",
        )  # fmt: skip
        read_only_fields = fields
        extra_kwargs: dict[str, dict[str, Any]] = {
            "lines": {"help_text": "Empty if an amount or the whole order was asked for."},
            "ended_at": {"help_text": "When it was first through. What comes back later is owed again."},
        }


class RefundPageOut(serializers.Serializer[Any]):
    """One page of an order's refunds, newest first."""

    items = RefundOut(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class OrderRefunds(ApiView):
    """Refunds of one order."""

    idempotent = True

    @extend_schema(
        operation_id="ask_refund", tags=["orders"], request=RefundIn, summary="Refund an order, or a part of it",
        parameters=[POSITION_HEADER],
        responses={202: OpenApiResponse(RefundOut, "Taken: being paid, or waiting for a second person.")},
    )  # fmt: skip
    def post(self, request: Request, order_id: UUID) -> Response:
        """Ask for money to go back while nothing else happens to the order. Above a limit staff decides first.

        Never more than what was not given back yet and waits for nobody's decision: of two that ask at once, one is
        taken.
        """
        return once(request, lambda now: self._ask(request, order_id, now))

    def _ask(self, request: Request, order_id: UUID, now: datetime) -> Response:
        sent = RefundIn.check(request.data)
        asked = ask_refund(
            order_id, RefundIn.wanted(sent), shop_id=self.shop_id, actor=self.caller.actor, reason=sent["reason"],
            now=now, correlation_id=self.correlation_id,
        )  # fmt: skip
        where = reverse("api-order-refund", kwargs={"order_id": order_id, "refund_id": asked.pk})
        return Response(RefundOut(asked).data, status=202, headers={"Location": where})

    @extend_schema(
        operation_id="list_refunds", tags=["orders"], parameters=[PageQuery], responses=RefundPageOut,
        summary="An order's refunds, newest first",
    )  # fmt: skip
    def get(self, request: Request, order_id: UUID) -> Response:
        """One page of what was asked for and what became of it. Cancellations and returns are not among them."""
        asked = PageQuery.read(request.query_params)
        found = reads.of_order(
            order_id, shop_id=self.shop_id, before=id_in(asked["cursor"]), limit=asked["limit"]
        )
        if found is None:
            raise not_found()
        items, more = found
        return page(request, RefundOut(items, many=True).data, cursor_after(str(more)) if more else None)


class OrderRefund(ApiView):
    """One refund of one order."""

    @extend_schema(
        operation_id="get_refund",
        tags=["orders"],
        responses=RefundOut,
        summary="A refund and what became of it",
    )
    def get(self, request: Request, order_id: UUID, refund_id: UUID) -> Response:
        """The refund as it stands now."""
        del request
        found = reads.get(refund_id, order_id=order_id, shop_id=self.shop_id)
        if found is None:
            raise not_found()
        return Response(RefundOut(found).data)
