"""Where a shop asks for returns, and where its warehouse says what came and what is accepted."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orders import history
from orders.returns import commands, opening, queries
from orders.returns.aggregate import Finding, Return
from orders.returns.rules import Wish
from orders.returns.states import Origin, State
from orders.totals import MOST_LINES, MOST_PIECES
from sagas.web.fields import StrictSerializer, Text, Whole
from sagas.web.once import once
from sagas.web.problems import not_found
from sagas.web.reading import POSITION_HEADER
from sagas.web.views import ApiView

_REASON = "Kept for ever with the return: name nobody in it."


def address_of(order_id: UUID, return_id: UUID) -> str:
    """Where one return is looked up."""
    return reverse("api-return", kwargs={"order_id": order_id, "return_id": return_id})


class WishIn(StrictSerializer):
    """Pieces to return: of one line by its position, or of a SKU on whichever lines it stands."""

    position = Whole(min_value=1, max_value=MOST_LINES, required=False)
    sku = Text(max_length=100, required=False)
    quantity = Whole(min_value=1, max_value=MOST_PIECES)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One name for a line, not two and not none."""
        if ("position" in attrs) == ("sku" in attrs):
            raise serializers.ValidationError({"position": ["Either position or sku."]})
        return attrs


class ReturnIn(StrictSerializer):
    """What is to come back, and why. Without lines everything that is left."""

    lines = serializers.ListField(child=WishIn(), required=False, allow_empty=False, max_length=MOST_LINES)
    reason = Text(max_length=200, help_text=_REASON)


class CameIn(StrictSerializer):
    """Pieces of one line that came."""

    position = Whole(min_value=1, max_value=MOST_LINES)
    quantity = Whole(min_value=0, max_value=MOST_PIECES)


class UnexpectedIn(StrictSerializer):
    """Pieces that came and are none of the order."""

    sku = Text(max_length=100)
    quantity = Whole(min_value=1, max_value=MOST_PIECES)


class ReceiveIn(StrictSerializer):
    """What came, by line of the order: fewer, more or others than asked. A line not named did not come."""

    lines = serializers.ListField(child=CameIn(), max_length=MOST_LINES)
    unexpected = serializers.ListField(
        child=UnexpectedIn(), required=False, max_length=MOST_LINES,
        help_text="Never refunded: a person looks at it.",
    )  # fmt: skip
    reason = Text(max_length=200, default="received", help_text=_REASON)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A line named twice could mean a sum or a slip."""
        _once_each([line["position"] for line in attrs["lines"]], "lines")
        _once_each([item["sku"] for item in attrs.get("unexpected", ())], "unexpected")
        return attrs


class FindingIn(StrictSerializer):
    """What the inspection says of one line: every received piece is accepted or rejected."""

    position = Whole(min_value=1, max_value=MOST_LINES)
    accepted = Whole(min_value=0, max_value=MOST_PIECES)
    rejected = Whole(min_value=0, max_value=MOST_PIECES, default=0)
    reason = Text(max_length=200, default="", allow_blank=True, help_text="Needed when a piece is rejected.")
    restock = Whole(
        min_value=0,
        max_value=MOST_PIECES,
        required=False,
        help_text="How many of the accepted pieces go back on the shelf; all of them if it is not said.",
    )


class InspectIn(StrictSerializer):
    """The inspection of all lines that came."""

    lines = serializers.ListField(child=FindingIn(), max_length=MOST_LINES)
    reason = Text(max_length=200, default="inspected", help_text=_REASON)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A line cannot be decided twice."""
        _once_each([line["position"] for line in attrs["lines"]], "lines")
        return attrs

    @staticmethod
    def findings(sent: dict[str, Any]) -> list[Finding]:
        """The checked lines as the command takes them."""
        return [Finding(**{"restock": line["accepted"], **line}) for line in sent["lines"]]


class WithdrawIn(StrictSerializer):
    """Why nothing comes back after all."""

    reason = Text(max_length=200, help_text=_REASON)


class ReturnLineOut(serializers.Serializer[Any]):
    """A line of a return: what was asked for, what came, and what was decided of it."""

    position = serializers.IntegerField()
    sku = serializers.CharField()
    asked = serializers.IntegerField()
    received = serializers.IntegerField()
    accepted = serializers.IntegerField()
    rejected = serializers.IntegerField()
    restock = serializers.IntegerField(help_text="Of the accepted pieces, those that go back on the shelf.")
    reject_reason = serializers.CharField()


class UnexpectedOut(serializers.Serializer[Any]):
    """Pieces that came and are none of the order."""

    sku = serializers.CharField()
    quantity = serializers.IntegerField()


class ReturnOut(serializers.Serializer[Any]):
    """A return as it stands. `refund_minor` was paid back and `credit_minor` is owed, once it is closed.

    It is requested until the goods came, received until they were inspected, inspected until its saga has paid and
    put back, then closed; or withdrawn, with `end_code` saying why.
    """

    id = serializers.UUIDField()
    order_id = serializers.UUIDField()
    number = serializers.IntegerField(help_text="Counts the returns of the order.")
    state = serializers.ChoiceField(State.choices)
    origin = serializers.ChoiceField(Origin.choices)
    reason = serializers.CharField()
    late = serializers.BooleanField()
    saga_id = serializers.UUIDField()
    lines = ReturnLineOut(many=True, source="in_order")
    unexpected = UnexpectedOut(many=True)
    refund_minor = serializers.IntegerField()
    credit_minor = serializers.IntegerField()
    end_code = serializers.CharField()
    due_at = serializers.DateTimeField(help_text="Withdrawn then, if nothing has come.")
    requested_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField(allow_null=True)
    inspected_at = serializers.DateTimeField(allow_null=True)
    moved_at = serializers.DateTimeField()


class ReturnListOut(serializers.Serializer[Any]):
    """All returns of an order, oldest first."""

    items = ReturnOut(many=True)


class OrderReturns(ApiView):
    """The returns of one order."""

    idempotent = True

    @extend_schema(
        operation_id="request_return", tags=["returns"], request=ReturnIn, summary="Ask for a return",
        parameters=[POSITION_HEADER],
        responses={201: OpenApiResponse(ReturnOut, "Opened; its saga waits for the goods.")},
    )  # fmt: skip
    def post(self, request: Request, order_id: UUID) -> Response:
        """Open a return of some pieces, or of all that is left, of an order that was handed over.

        Its pieces are spoken for until it is closed or withdrawn. Nothing is paid before they came and were inspected.
        """
        return once(request, lambda now: self._open(request, order_id, now))

    def _open(self, request: Request, order_id: UUID, now: datetime) -> Response:
        sent = ReturnIn.check(request.data)
        opened = opening.request_return(
            order_id,
            wishes=[Wish(**line) for line in sent["lines"]] if "lines" in sent else None,
            shop_id=self.shop_id,
            actor=self.caller.actor,
            reason=sent["reason"],
            now=now,
            correlation_id=self.correlation_id,
        )
        return Response(_document(opened), status=201, headers={"Location": address_of(order_id, opened.id)})

    @extend_schema(
        operation_id="list_returns", tags=["returns"], responses=ReturnListOut, summary="Returns of an order"
    )
    def get(self, request: Request, order_id: UUID) -> Response:
        """All returns of the order, oldest first, as they stand now."""
        del request
        if not history.exists(order_id, shop_id=self.shop_id):
            raise not_found()
        return Response({"items": [_document(one) for one in queries.returns_of(order_id)]})


class ReturnDetail(ApiView):
    """One return."""

    @extend_schema(operation_id="get_return", tags=["returns"], responses=ReturnOut, summary="A return")
    def get(self, request: Request, order_id: UUID, return_id: UUID) -> Response:
        """The return as it stands now."""
        del request
        found = queries.get_return(return_id)
        if found is None or (found.order_id, found.shop_id) != (order_id, self.shop_id):
            raise not_found()
        return Response(_document(found))


class _ReturnAct(ApiView):
    """What somebody does with one return, once for each key."""

    idempotent = True

    def _how(self, order_id: UUID, sent: dict[str, Any], now: datetime) -> dict[str, Any]:
        """By whom, of whose order, when and why: what every command of returns is told."""
        return {
            "actor": self.caller.actor, "reason": sent["reason"], "now": now, "order_id": order_id,
            "shop_id": self.shop_id,
        }  # fmt: skip


class ReturnReceive(_ReturnAct):
    """The goods of a return are in the house."""

    @extend_schema(
        operation_id="receive_return", tags=["returns"], request=ReceiveIn, summary="Say what came back",
        parameters=[POSITION_HEADER], responses=ReturnOut,
    )  # fmt: skip
    def post(self, request: Request, order_id: UUID, return_id: UUID) -> Response:
        """Write down what came, once. Said again it changes nothing; said otherwise it is refused."""
        return once(request, lambda now: self._receive(request, order_id, return_id, now))

    def _receive(self, request: Request, order_id: UUID, return_id: UUID, now: datetime) -> Response:
        sent = ReceiveIn.check(request.data)
        back = commands.receive_return(
            return_id,
            came={line["position"]: line["quantity"] for line in sent["lines"]},
            unexpected={item["sku"]: item["quantity"] for item in sent.get("unexpected", ())},
            **self._how(order_id, sent, now),
        )
        return Response(_document(back))


class ReturnInspect(_ReturnAct):
    """The goods of a return were looked at."""

    @extend_schema(
        operation_id="inspect_return", tags=["returns"], request=InspectIn, summary="Accept or reject what came",
        parameters=[POSITION_HEADER], responses=ReturnOut,
    )  # fmt: skip
    def post(self, request: Request, order_id: UUID, return_id: UUID) -> Response:
        """Decide on every piece that came, once. What is accepted is then refunded, by its share of its line."""
        return once(request, lambda now: self._inspect(request, order_id, return_id, now))

    def _inspect(self, request: Request, order_id: UUID, return_id: UUID, now: datetime) -> Response:
        sent = InspectIn.check(request.data)
        how = self._how(order_id, sent, now)
        return Response(
            _document(commands.inspect_return(return_id, findings=InspectIn.findings(sent), **how))
        )


class ReturnWithdraw(_ReturnAct):
    """Nothing comes back after all."""

    @extend_schema(
        operation_id="withdraw_return", tags=["returns"], request=WithdrawIn, summary="Take a return back",
        parameters=[POSITION_HEADER], responses=ReturnOut,
    )  # fmt: skip
    def post(self, request: Request, order_id: UUID, return_id: UUID) -> Response:
        """Withdraw a return whose goods have not come. Its pieces may be asked for again."""
        return once(request, lambda now: self._withdraw(request, order_id, return_id, now))

    def _withdraw(self, request: Request, order_id: UUID, return_id: UUID, now: datetime) -> Response:
        sent = WithdrawIn.check(request.data)
        return Response(_document(commands.withdraw_return(return_id, **self._how(order_id, sent, now))))


def _document(back: Return) -> Any:
    return ReturnOut(back).data


def _once_each(names: list[Any], field: str) -> None:
    if len(set(names)) != len(names):
        raise serializers.ValidationError({field: ["Named twice."]})
