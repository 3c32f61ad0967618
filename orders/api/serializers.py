"""Orders as documents. Shape and bounds stand here; whether an order can be taken, orders itself decides."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from rest_framework import serializers

from orders.contract import GOODS, VOUCHER
from orders.intake import PlaceOrder
from orders.models import Order, OrderLine
from orders.states import Fulfilment, State
from orders.totals import (
    CHARGE_KINDS,
    MOST_CHARGES,
    MOST_LINES,
    MOST_MINOR,
    MOST_PIECES,
    MOST_TOTAL_MINOR,
    ChargeInput,
    LineInput,
)
from sagas.ids import uuid7
from sagas.web.fields import Email, Moment, StrictSerializer, Text, Whole
from sagas.web.pages import PageQuery

LINE_KIND_CHOICES = [GOODS, VOUCHER]
CHARGE_KIND_CHOICES = sorted(CHARGE_KINDS)


class LineIn(StrictSerializer):
    """One line. Tax and discount are for the whole line, not for a piece."""

    sku = Text(max_length=100)
    name = Text(max_length=300, default="", allow_blank=True)
    kind = serializers.ChoiceField(
        LINE_KIND_CHOICES, default=GOODS, help_text="A voucher is sold with nothing to ship."
    )
    quantity = Whole(min_value=1, max_value=MOST_PIECES)
    unit_price_minor = Whole(min_value=0, max_value=MOST_MINOR)
    tax_minor = Whole(min_value=0, max_value=MOST_MINOR, default=0)
    discount_minor = Whole(min_value=0, max_value=MOST_MINOR, default=0)


class ChargeIn(StrictSerializer):
    """Money on the order beside its lines. Below zero only for manual, voucher and discount."""

    kind = serializers.ChoiceField(CHARGE_KIND_CHOICES)
    amount_minor = Whole(min_value=-MOST_MINOR, max_value=MOST_MINOR)


class CustomerIn(StrictSerializer):
    """Who ordered. `reference` is the shop's own name for the customer; a guest has none."""

    reference = Text(max_length=150, default="", allow_blank=True)
    name = Text(max_length=300)
    email = Email(max_length=320, default="", allow_blank=True)


class ShipToIn(StrictSerializer):
    """Where the goods go."""

    country = serializers.RegexField(r"^[A-Z]{2}\Z", help_text="ISO 3166, two capital letters.")
    name = Text(max_length=300, default="", allow_blank=True, help_text="If not the customer.")
    street = Text(max_length=300, default="", allow_blank=True)
    street_2 = Text(max_length=300, default="", allow_blank=True)
    postcode = Text(max_length=20, default="", allow_blank=True)
    city = Text(max_length=100, default="", allow_blank=True)
    region = Text(max_length=100, default="", allow_blank=True)
    phone = Text(max_length=50, default="", allow_blank=True)


class OrderIn(StrictSerializer):
    """An order as a shop sends it. Amounts are integers in the currency's smallest unit."""

    external_reference = Text(
        max_length=100,
        required=False,
        help_text="The shop's own name of the order, once per shop. Without it Waybill gives one, and cannot"
        " tell a second press of the button from a second order.",
    )
    currency = Text(min_length=3, max_length=3, help_text="ISO 4217.")
    lines = serializers.ListField(child=LineIn(), allow_empty=False, max_length=MOST_LINES)
    charges = serializers.ListField(child=ChargeIn(), required=False, max_length=MOST_CHARGES)
    expected_total_minor = Whole(
        min_value=0,
        max_value=MOST_TOTAL_MINOR,
        help_text="What the customer was shown. With another sum the order is refused.",
    )
    customer = CustomerIn()
    ship_to = ShipToIn()
    payment_method = Text(max_length=100, help_text="The payment gateway's token.")
    placed_at = Moment(required=False, help_text="When the customer ordered; now if it is not said.")
    fulfilment = serializers.ChoiceField(
        Fulfilment.choices,
        required=False,
        help_text="Who leads it; the installation's own style if it is not said.",
    )

    def command(self, shop_id: UUID, *, now: datetime, style: str) -> PlaceOrder:
        """The checked document as orders takes it. `style` leads an order that does not say who shall."""
        data = self.validated_data
        customer, ship_to = data["customer"], data["ship_to"]
        return PlaceOrder(
            shop_id=shop_id,
            external_reference=data.get("external_reference") or str(uuid7()),
            currency=data["currency"],
            lines=[LineInput(**line) for line in data["lines"]],
            charges=[ChargeInput(**charge) for charge in data.get("charges", ())],
            expected_total_minor=data["expected_total_minor"],
            country=ship_to["country"],
            payment_method=data["payment_method"],
            placed_at=data.get("placed_at", now),
            customer_reference=customer["reference"],
            name=customer["name"],
            email=customer["email"],
            address={part: value for part, value in ship_to.items() if value},
            fulfilment=data.get("fulfilment", style),
        )


class CancelIn(StrictSerializer):
    """Why an order is to be cancelled."""

    reason = Text(
        max_length=200,
        default="cancelled by the shop",
        help_text="Kept for ever with the order: name nobody in it.",
    )


class OrderQuery(PageQuery):
    """Filters of the list of orders."""

    state = serializers.ChoiceField(State.choices, default=None)
    external_reference = Text(max_length=100, default=None)


class OrderTakenOut(serializers.Serializer[Any]):
    """The order is stored and its saga has begun. Follow it at the address in Location."""

    id = serializers.UUIDField()
    external_reference = serializers.CharField()
    state = serializers.ChoiceField(State.choices)


class CancelTakenOut(serializers.Serializer[Any]):
    """The request to cancel is taken. `saga_id` gives things back, null if there was nothing to give."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(State.choices)
    saga_id = serializers.UUIDField(allow_null=True)


class OrderOut(serializers.ModelSerializer[Order]):
    """An order as it stands."""

    class Meta:
        model = Order
        fields = (
            "id", "external_reference", "version", "state", "on_hold", "hold_reason", "end_code", "currency",
            "total_minor", "goods_minor", "charges_minor", "cancelled_minor", "returned_minor", "country",
            "fulfilment", "placed_at", "received_at", "moved_at",
        )  # fmt: skip
        read_only_fields = fields
        extra_kwargs: dict[str, dict[str, Any]] = {
            "version": {"help_text": "Rises with every change."},
            "on_hold": {
                "help_text": "It cannot go forward before a person has acted; `hold_reason` says on what."
            },
            "end_code": {"help_text": "Why it was rejected, empty otherwise."},
            "moved_at": {"help_text": "When it last changed."},
        }


class OrderLineOut(serializers.ModelSerializer[OrderLine]):
    """A line, and how many of its pieces were cancelled or returned."""

    class Meta:
        model = OrderLine
        fields = (
            "position", "sku", "name", "kind", "quantity", "unit_price_minor", "tax_minor", "discount_minor",
            "total_minor", "cancelled_quantity", "returned_quantity",
        )  # fmt: skip
        read_only_fields = fields


class OrderDetailOut(OrderOut):
    """An order with its lines and charges."""

    lines = OrderLineOut(many=True, read_only=True)
    charges = ChargeIn(many=True, read_only=True)

    class Meta(OrderOut.Meta):
        fields = (*OrderOut.Meta.fields, "lines", "charges")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class OrderPageOut(serializers.Serializer[Any]):
    """One page of orders, newest first."""

    items = OrderOut(many=True)
    next_cursor = serializers.CharField(allow_null=True)
