"""The shop of this benchmark and its orders: the same ones for Waybill and for whoever does it by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from benchmarks.side_by_side.workload import SKUS, Wanted, sku

COUNTRY, CURRENCY, CARD = "DE", "EUR", "pm_card_visa"
LOCATION = "main"
#: Enough of each SKU for every run.
PLENTY = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Shop:
    """Who sells, and where its goods lie."""

    id: UUID
    location_id: UUID


def name_of(order: Wanted) -> str:
    """Whom it goes to."""
    return f"Customer of {order.reference}"


def email_of(order: Wanted) -> str:
    """Where its confirmation goes."""
    return f"{order.reference}@shop.example"


def address_of(order: Wanted) -> dict[str, str]:
    """Where it goes. Every order has a customer of its own."""
    return {"line1": f"{order.id.int % 200 + 1} High Street", "city": "Berlin", "postal_code": "10115"}


def open_shop() -> Shop:
    """Make the shop in the database that Django is set up on, with its shelf full."""
    from django.db import transaction

    from inventory.commands import MoveStock, ensure_locations, record_movements
    from inventory.queries import location_ids
    from orders.commands import create_shop
    from sagas.clock import database_now
    from sagas.ids import uuid7

    shop, _ = create_shop("Bench", slug="bench", now=database_now())
    ensure_locations([(shop.pk, LOCATION)], now=database_now())
    moves = [MoveStock(uuid7(), shop.pk, sku(rank), "receipt", PLENTY) for rank in range(SKUS)]
    with transaction.atomic():
        record_movements(moves, now=database_now())
    return Shop(shop.pk, location_ids([(shop.pk, LOCATION)])[shop.pk, LOCATION])


def place(shop: Shop, orders: Sequence[Wanted], *, style: str, placed_at: datetime, batch: int) -> None:
    """Place orders as the shop's system does in bulk: so many in each call of the command."""
    from orders.commands import place_orders
    from orders.intake import PlaceOrder
    from orders.totals import LineInput
    from sagas.clock import database_now

    for start in range(0, len(orders), batch):
        requests = [
            PlaceOrder(
                shop_id=shop.id, external_reference=order.reference, currency=CURRENCY, country=COUNTRY,
                payment_method=CARD, placed_at=placed_at, customer_reference=order.reference,
                name=name_of(order), email=email_of(order), address=address_of(order), fulfilment=style,
                lines=[
                    LineInput(sku=x.sku, name=x.sku, quantity=x.quantity, unit_price_minor=x.price_minor)
                    for x in order.lines
                ],
            )
            for order in orders[start : start + batch]
        ]  # fmt: skip
        place_orders(requests, now=database_now())
