"""The shop that sends the load: its token, its shelf, and its orders as documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from benchmarks.shopping import LINES, PLENTY, SKUS
from inventory.commands import MoveStock, ensure_locations, record_movements
from orders.commands import create_shop
from sagas.clock import database_now
from sagas.ids import uuid7

PRICE_MINOR = 1_000


@dataclass(frozen=True)
class Shop:
    """One shop at the API."""

    shop_id: UUID
    token: str

    @classmethod
    def open(cls) -> Shop:
        """Make the shop and fill its shelf."""
        now = database_now()
        shop, token = create_shop("Bench", slug="bench", now=now)
        ensure_locations([(shop.pk, "main")], now=now)
        with transaction.atomic():
            record_movements([MoveStock(uuid7(), shop.pk, sku, "receipt", PLENTY) for sku in SKUS], now=now)
        return cls(shop.pk, token)

    def headers(self, reference: str) -> dict[str, str]:
        """Of a request that places one order. The bare view asks for no token but for the shop."""
        return {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Idempotency-Key": reference,
            "X-Shop": str(self.shop_id),
        }


def document(reference: str, number: int) -> dict[str, Any]:
    """An order of three lines, from a customer who has not been here before."""
    goods = [SKUS[(number * 7 + n * 31) % len(SKUS)] for n in range(LINES)]
    return {
        "external_reference": reference,
        "currency": "EUR",
        "lines": [{"sku": sku, "name": sku, "quantity": 1, "unit_price_minor": PRICE_MINOR} for sku in goods],
        "expected_total_minor": LINES * PRICE_MINOR,
        "customer": {"reference": reference, "name": "Ada Example", "email": "ada@example.org"},
        "ship_to": {"country": "DE", "street": "Long Road 1", "postcode": "10115", "city": "Berlin"},
        "payment_method": "pm_card_visa",
    }


def body(reference: str, number: int) -> bytes:
    """The order as it is sent."""
    return json.dumps(document(reference, number)).encode()


def bulk_body(references: Sequence[str]) -> bytes:
    """Orders on a line each."""
    return b"\n".join(body(reference, number) for number, reference in enumerate(references))
