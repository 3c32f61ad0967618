"""Stock as documents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from inventory.commands import MoveStock, movement_key
from inventory.contract import DEFAULT_LOCATION
from inventory.models import SKU_LENGTH
from sagas.web.fields import StrictSerializer, Text, Whole
from sagas.web.pages import PageQuery

MOST_PIECES = 10**12
KIND_CHOICES = ["receipt", "adjustment", "count", "return"]


class MovementIn(StrictSerializer):
    """One movement: one line of the request. Safe to repeat: a key is carried out once per shop."""

    key = Text(max_length=200, help_text="The shop's own name of this movement.")
    sku = Text(max_length=SKU_LENGTH)
    kind = serializers.ChoiceField(KIND_CHOICES)
    quantity = Whole(
        min_value=-MOST_PIECES,
        max_value=MOST_PIECES,
        help_text="The change; for a count, what was counted. Below zero only in an adjustment.",
    )
    location = Text(max_length=50, default=DEFAULT_LOCATION)
    reason = Text(max_length=200, default="", allow_blank=True)

    def command(self, shop_id: UUID) -> MoveStock:
        """The checked line as inventory takes it."""
        data = self.validated_data
        return MoveStock(
            key=movement_key(shop_id, data["key"]),
            shop_id=shop_id,
            sku=data["sku"],
            kind=data["kind"],
            quantity=data["quantity"],
            location=data["location"],
            reason=data["reason"],
        )


class MovementAnswerOut(serializers.Serializer[Any]):
    """The answer to one line. `recorded` comes with quantity and on_hand, the others with code and detail."""

    line = serializers.IntegerField()
    key = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(["recorded", "refused", "invalid"])
    quantity = serializers.IntegerField(required=False)
    on_hand = serializers.IntegerField(required=False)
    code = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)


class StockQuery(PageQuery):
    """Filters of the list of stock."""

    sku = serializers.ListField(child=Text(max_length=SKU_LENGTH), max_length=200, default=None)
    location = Text(max_length=50, default=None)


class StockOut(serializers.Serializer[Any]):
    """One SKU at one location. `available` can still be promised."""

    location = serializers.CharField()
    sku = serializers.CharField()
    on_hand = serializers.IntegerField()
    held = serializers.IntegerField()
    allocated = serializers.IntegerField()
    unavailable = serializers.IntegerField()
    available = serializers.IntegerField()


class StockPageOut(serializers.Serializer[Any]):
    """One page of stock, by location and SKU."""

    items = StockOut(many=True)
    next_cursor = serializers.CharField(allow_null=True)
