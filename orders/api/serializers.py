"""Orders as documents. Shape and bounds stand here; whether an order can be taken, orders itself decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from rest_framework import serializers

from orders.contract import GOODS, ORCHESTRATION, VOUCHER
from orders.intake import PlaceOrder
from orders.queries import OrderFilters, SummaryFilters
from orders.queries.summary import GROUPS, MOST_DAYS
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
from sagas.web.fields import BIGINT, Email, Moment, StrictSerializer, Text, Whole
from sagas.web.pages import PageQuery
from sagas.web.reading import ReadQuery

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
    ship_in_parcels = serializers.BooleanField(
        default=False,
        help_text="Confirm it with its money held. Each parcel you ask for takes its own share. Goods only; the engine"
        " leads it.",
    )

    @classmethod
    def command(cls, document: Any, shop_id: UUID, *, now: datetime, style: str) -> PlaceOrder:
        """The document as orders takes it. `style` leads an order that does not say who shall.

        Raises ValidationError for a document that is not as described.
        """
        data = cls.check(document)
        customer, ship_to = data["customer"], data["ship_to"]
        in_parcels = data["ship_in_parcels"]
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
            fulfilment=data.get("fulfilment", ORCHESTRATION if in_parcels else style),
            ship_in_parcels=in_parcels,
        )


class BulkOrderIn(OrderIn):
    """One line of a bulk request: an order as POST /orders takes it. Only its reference can tell a repeat."""

    external_reference = Text(max_length=100, help_text="The shop's own name of the order, once per shop.")


class CancelIn(StrictSerializer):
    """Why an order is to be cancelled."""

    reason = Text(
        max_length=200,
        default="cancelled by the shop",
        help_text="Kept for ever with the order: name nobody in it.",
    )


class AddressIn(StrictSerializer):
    """The parts of an address that were wrong. What is not sent stays; an empty text takes a part out.

    The country stays: to another one the order may cost something else. Cancel it and place it again.
    """

    name = Text(max_length=300, required=False, allow_blank=True, help_text="If not the customer.")
    street = Text(max_length=300, required=False, allow_blank=True)
    street_2 = Text(max_length=300, required=False, allow_blank=True)
    postcode = Text(max_length=20, required=False, allow_blank=True)
    city = Text(max_length=100, required=False, allow_blank=True)
    region = Text(max_length=100, required=False, allow_blank=True)
    phone = Text(max_length=50, required=False, allow_blank=True)
    reason = Text(
        max_length=200,
        default="corrected by the shop",
        help_text="Kept for ever with the order: name nobody in it.",
    )

    @classmethod
    def parts(cls, document: Any) -> tuple[dict[str, str], str]:
        """The parts to correct, and why. Raises ValidationError, also when there is nothing to correct."""
        data = cls.check(document)
        reason = data.pop("reason")
        if not data:
            raise serializers.ValidationError(["Name at least one part of the address."])
        return data, reason


class OrderQuery(PageQuery, ReadQuery):
    """Filters of the list of orders. All that are given must hold."""

    state = serializers.ListField(
        child=serializers.ChoiceField(State.choices),
        default=list,
        max_length=len(State),
        help_text="Any of them.",
    )
    placed_from = Moment(default=None, help_text="Placed then or later.")
    placed_to = Moment(default=None, help_text="Placed before then.")
    customer = Text(max_length=200, default=None, help_text="The shop's own name for the customer.")
    person_id = serializers.UUIDField(default=None)
    email = Email(max_length=320, default=None, help_text="The customer's, whole; case does not matter.")
    total_from = serializers.IntegerField(min_value=0, max_value=BIGINT, default=None)
    total_to = serializers.IntegerField(min_value=0, max_value=BIGINT, default=None)
    sku = Text(max_length=100, default=None, help_text="Holds goods of it.")
    country = serializers.RegexField(r"^[A-Z]{2}\Z", default=None)
    end_code = Text(max_length=100, default=None, help_text="Why it was rejected.")
    needs_attention = serializers.BooleanField(default=None, allow_null=True)
    external_reference = Text(max_length=100, default=None)
    search = Text(
        max_length=320, default=None, help_text="The beginning of a reference, or an e-mail address."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A search is one of two filters, so it cannot stand beside them."""
        if attrs["search"] is not None and attrs["email"] is not None:
            raise serializers.ValidationError({"search": ["Not together with email."]})
        return attrs

    @staticmethod
    def filters(asked: Mapping[str, Any]) -> OrderFilters:
        """The checked parameters as queries take them."""
        search = asked["search"]
        by_email = search is not None and "@" in search
        same = {name: asked[name] for name in _SAME}
        return OrderFilters(
            **same,
            states=tuple(asked["state"]),
            reference=asked["external_reference"],
            email=search if by_email else asked["email"],
            reference_prefix=None if by_email else search,
        )


#: Parameters that are called as the filters are.
_SAME = (
    "placed_from", "placed_to", "customer", "person_id", "total_from", "total_to", "sku", "country", "end_code",
    "needs_attention",
)  # fmt: skip


class SummaryQuery(ReadQuery):
    """Which orders are summed, and what the sums are split by."""

    since = serializers.DateField(help_text="Placed on that day or later, in UTC.")
    until = serializers.DateField(help_text="Placed on that day or before.")
    country = serializers.ListField(
        child=serializers.RegexField(r"^[A-Z]{2}\Z"), default=list, max_length=50, help_text="Any of them."
    )
    state = serializers.ListField(
        child=serializers.ChoiceField(State.choices),
        default=list,
        max_length=len(State),
        help_text="Any of them.",
    )
    currency = serializers.ListField(
        child=serializers.RegexField(r"^[A-Z]{3}\Z"), default=list, max_length=50, help_text="Any of them."
    )
    group_by = serializers.ListField(
        child=serializers.ChoiceField(GROUPS), default=lambda: ["status"], max_length=len(GROUPS)
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """So many days at most, forwards."""
        days = (attrs["until"] - attrs["since"]).days
        if not 0 <= days < MOST_DAYS:
            raise serializers.ValidationError({"until": [f"From since on, {MOST_DAYS} days at most."]})
        return attrs

    @staticmethod
    def filters(asked: Mapping[str, Any]) -> SummaryFilters:
        """The checked parameters as queries take them."""
        return SummaryFilters(
            since=asked["since"],
            until=asked["until"],
            countries=asked["country"],
            statuses=asked["state"],
            currencies=asked["currency"],
        )
