"""Orders as shops send them, and shops to send them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from factory.base import Factory
from factory.declarations import Dict, LazyFunction, List, Sequence, SubFactory
from factory.django import DjangoModelFactory

from orders.intake import PlaceOrder
from orders.models import Shop
from orders.totals import ChargeInput, LineInput
from sagas.ids import uuid7
from sagas.steps import StepCall

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class ShopFactory(DjangoModelFactory[Shop]):
    class Meta:
        model = Shop

    name = Sequence(lambda n: f"Shop {n}")
    slug = Sequence(lambda n: f"shop-{n}")


class LineFactory(Factory[LineInput]):
    class Meta:
        model = LineInput

    sku = Sequence(lambda n: f"SKU{n}")
    name = "A thing"
    quantity = 2
    unit_price_minor = 500


class ChargeFactory(Factory[ChargeInput]):
    class Meta:
        model = ChargeInput

    kind = "shipping"
    amount_minor = 300


class PlaceOrderFactory(Factory[PlaceOrder]):
    class Meta:
        model = PlaceOrder

    shop_id = LazyFunction(uuid7)
    external_reference = Sequence(lambda n: f"R{n}")
    currency = "EUR"
    lines = List([SubFactory(LineFactory), SubFactory(LineFactory)])
    charges = List([SubFactory(ChargeFactory)])
    country = "DE"
    payment_method = "pm_card_visa"
    placed_at = NOW
    customer_reference = Sequence(lambda n: f"C{n}")
    name = "Ada Example"
    email = "ada@example.org"
    address = Dict({"street": "Long Road 1", "city": "Berlin"})


def a_shop(**values: Any) -> Shop:
    """A shop in the database."""
    shop: Shop = ShopFactory.create(**values)
    return shop


def a_line(**values: Any) -> LineInput:
    """Two pieces at 5.00."""
    line: LineInput = LineFactory.create(**values)
    return line


def an_order(**values: Any) -> PlaceOrder:
    """An order as it is sent: two lines of 10.00 and 3.00 shipping, 23.00 EUR in all."""
    order: PlaceOrder = PlaceOrderFactory.create(**values)
    return order


def call(
    order_id: UUID,
    *,
    saga_id: UUID | None = None,
    step: str = "orders.place_order",
    cause: str = "",
    cause_code: str = "",
    now: datetime = NOW,
    correlation_id: str = "",
) -> StepCall:
    """A saga's call of one step for one order."""
    return StepCall(
        saga_id=saga_id or uuid7(),
        step_id=uuid7(),
        step=step,
        key=uuid7(),
        subject_id=order_id,
        shop_id=uuid7(),
        reference="R",
        search_key="R",
        input={},
        subject=None,
        amount_minor=0,
        currency="EUR",
        attempt=1,
        epoch=0,
        intent_number=1,
        memo={},
        now=now,
        correlation_id=correlation_id,
        cause=cause,
        cause_code=cause_code,
    )
