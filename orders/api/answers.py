"""What the API answers about orders."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from orders.api.serializers import ChargeIn
from orders.models import OrderLine, OrderView
from orders.states import State


class BulkAnswerOut(serializers.Serializer[Any]):
    """The answer to one line: where the order stands, or the members of a problem document (RFC 9457).

    202: stored, its saga has begun. 200: stored before, `existing` is true and `state` the one of now. 409: the
    reference belongs to another order, which `order_id` names. Any other: nothing was stored.
    """

    line = serializers.IntegerField(help_text="From 1; empty lines are not counted.")
    status = serializers.IntegerField()
    external_reference = serializers.CharField(allow_null=True)
    id = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(State.choices, required=False)
    existing = serializers.BooleanField(required=False)
    type = serializers.CharField(required=False)
    title = serializers.CharField(required=False)
    code = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)
    errors = serializers.ListField(  # type: ignore[assignment]  # a field, not the property
        required=False, child=serializers.DictField(child=serializers.CharField())
    )
    order_id = serializers.UUIDField(required=False)
    order = serializers.CharField(required=False)


class OrderTakenOut(serializers.Serializer[Any]):
    """The order is stored and its saga has begun. Follow it at the address in Location."""

    id = serializers.UUIDField()
    external_reference = serializers.CharField()
    state = serializers.ChoiceField(State.choices)


class CancelTakenOut(serializers.Serializer[Any]):
    """The request to cancel is taken. `saga_id` gives things back, null if there was nothing to give.

    With a `return_id` it came after the hand-over: the order stays as it is, and that return waits for its goods.
    """

    id = serializers.UUIDField()
    state = serializers.ChoiceField(State.choices)
    saga_id = serializers.UUIDField(allow_null=True)
    return_id = serializers.UUIDField(allow_null=True)


class AddressCorrectedOut(serializers.Serializer[Any]):
    """The address is corrected. `asked_again`: the carrier was asked before, and is asked anew."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(State.choices)
    asked_again = serializers.BooleanField()


class CustomerOut(serializers.Serializer[Any]):
    """Who ordered. Name and e-mail are empty once the customer was erased."""

    reference = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()


class OrderOut(serializers.ModelSerializer[OrderView]):
    """An order as the read side shows it."""

    id = serializers.UUIDField(source="order_id")

    class Meta:
        model = OrderView
        fields: tuple[str, ...] = (
            "id", "external_reference", "version", "state", "on_hold", "hold_reason", "needs_attention",
            "attention_reason", "end_code", "currency", "total_minor", "goods_minor", "charges_minor",
            "cancelled_minor", "returned_minor", "country", "fulfilment", "pieces", "placed_at", "received_at",
            "moved_at", "confirmed_at", "ended_at", "payment_state", "captured_minor", "refunded_minor",
            "stock_state", "shipment_state", "progress",
        )  # fmt: skip
        read_only_fields = fields
        extra_kwargs: dict[str, dict[str, Any]] = {
            "version": {"help_text": "Rises with every change of the order itself."},
            "on_hold": {
                "help_text": "It cannot go forward before a person has acted; `hold_reason` says on what."
            },
            "end_code": {"help_text": "Why it was rejected, empty otherwise."},
            "moved_at": {"help_text": "When it last changed its state."},
            "progress": {
                "help_text": "How many of six steps stand: placed, authorized, reserved, booked, captured, confirmed."
            },
        }


class OrderLineOut(serializers.ModelSerializer[OrderLine]):
    """A line, and how many of its pieces were cancelled, returned or only refunded, these for `refunded_minor`."""

    class Meta:
        model = OrderLine
        fields = (
            "position", "sku", "name", "kind", "quantity", "unit_price_minor", "tax_minor", "discount_minor",
            "total_minor", "cancelled_quantity", "returned_quantity", "refunded_quantity", "refunded_minor",
        )  # fmt: skip
        read_only_fields = fields


class PaymentOut(serializers.Serializer[Any]):
    """What came of the payment: authorized, declined, captured, capture_failed, voided, expired, partly_refunded or
    refunded; empty before anything did."""

    id = serializers.UUIDField(source="payment_id", allow_null=True)
    state = serializers.CharField(source="payment_state")
    authorized_minor = serializers.IntegerField()
    captured_minor = serializers.IntegerField()
    refunded_minor = serializers.IntegerField()


class OrderStockOut(serializers.Serializer[Any]):
    """What came of the goods: held, allocated, consumed, released, expired, short or refused; empty before."""

    reservation_id = serializers.UUIDField(allow_null=True)
    state = serializers.CharField(source="stock_state")


class ShipmentOut(serializers.Serializer[Any]):
    """What came of the parcel. Empty before its label was asked for.

    label_bought, label_failed, voided or unknown; handed_over, then the carrier's last word (in_transit,
    out_for_delivery, delayed, ready_for_pickup, delivery_failed, return_to_sender); delivered, returned or lost.
    """

    id = serializers.UUIDField(source="shipment_id", allow_null=True)
    state = serializers.CharField(source="shipment_state")
    tracking = serializers.CharField()
    handed_over_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)


class ProgressOut(serializers.Serializer[Any]):
    """How far the fulfilment has come, as the order's events tell it."""

    id = serializers.UUIDField(source="saga_id", allow_null=True)
    state = serializers.CharField(source="saga_state")
    progress = serializers.IntegerField()


class OrderListedOut(OrderOut):
    """An order in a list, with its customer."""

    customer = CustomerOut()

    class Meta(OrderOut.Meta):
        fields = (*OrderOut.Meta.fields, "customer")
        read_only_fields = fields


class OrderDetailOut(OrderListedOut):
    """An order with its lines and charges, and what came of its payment, goods and parcel."""

    ship_in_parcels = serializers.BooleanField(
        source="in_parcels", read_only=True, help_text="Whether parcels are asked for one by one."
    )
    lines = OrderLineOut(many=True, read_only=True)
    charges = ChargeIn(many=True, read_only=True)
    payment = PaymentOut(source="*", read_only=True)
    stock = OrderStockOut(source="*", read_only=True)
    shipment = ShipmentOut(source="*", read_only=True)
    saga = ProgressOut(source="*", read_only=True)

    class Meta(OrderListedOut.Meta):
        fields = (
            *OrderListedOut.Meta.fields, "ship_in_parcels", "lines", "charges", "payment", "stock", "shipment", "saga",
        )  # fmt: skip
        read_only_fields = fields


class OrderPageOut(serializers.Serializer[Any]):
    """One page of orders, newest first, or in the order of the range that was asked for.

    It may hold fewer than `limit` and not be the last: only `next_cursor` null is the end.
    """

    items = OrderListedOut(many=True)
    next_cursor = serializers.CharField(allow_null=True)


class SummaryLineOut(serializers.Serializer[Any]):
    """Sums over orders of one currency. What they are not split by is null."""

    day = serializers.DateField(allow_null=True)
    country = serializers.CharField(allow_null=True)
    status = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    orders = serializers.IntegerField()
    total_minor = serializers.IntegerField()
    captured_minor = serializers.IntegerField()
    refunded_minor = serializers.IntegerField()


class SummaryOut(serializers.Serializer[Any]):
    """Sums over the shop's orders."""

    items = SummaryLineOut(many=True)
