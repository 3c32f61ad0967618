"""Fixtures of the orders tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orders import commands
from orders.models import Order, Shop
from tests.orders.factories import NOW, a_shop, an_order, call


@pytest.fixture
def shop(db: None) -> Shop:
    return a_shop()


@pytest.fixture
def draft(shop: Shop) -> Callable[..., Order]:
    """Place an order; its row."""

    def place(**values: Any) -> Order:
        placed = commands.place_order(an_order(shop_id=shop.pk, **values), now=NOW)
        return Order.objects.get(pk=placed.order_id)

    return place


@pytest.fixture
def pending(draft: Callable[..., Order]) -> Callable[..., Order]:
    """An order that its saga has accepted."""

    def accept(**values: Any) -> Order:
        order = draft(**values)
        commands.accept_orders([call(order.pk, saga_id=saga_of(order))], now=NOW)
        order.refresh_from_db()
        return order

    return accept


@pytest.fixture
def confirmed(pending: Callable[..., Order]) -> Callable[..., Order]:
    """An order that was paid and confirmed."""

    def confirm(**values: Any) -> Order:
        order = pending(**values)
        commands.confirm_orders([call(order.pk, saga_id=saga_of(order))], now=NOW)
        order.refresh_from_db()
        return order

    return confirm


def saga_of(order: Order) -> Any:
    from orders import queries

    return queries.fulfilment_saga(order.pk)
