"""A shop's small orders, in either style, and trouble for some of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.request import Request, urlopen
from uuid import UUID

from django.db import transaction

from inventory.commands import MoveStock, ensure_locations, record_movements
from orders.commands import create_shop, place_orders
from orders.intake import PlaceOrder
from orders.totals import LineInput
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.sql import rows

#: Goods on the shelf, enough of each for every run.
SKUS = [f"SKU-{n:03}" for n in range(200)]
PLENTY = 10_000_000
NOTHING = "SOLD-OUT"
LINES = 3
BATCH = 100

#: Whom an order of a troubled load annoys: each in turn a share of all.
TROUBLE = (
    ("authorize", "decline", "insufficient_funds"),
    ("book", "refuse", "country_not_served"),
    ("capture", "decline", "processing_error"),
)

SPAN = """
SELECT extract(epoch FROM max(finished_at) - min(started_at))::float FROM sagas_saga
 WHERE reference LIKE %s AND definition = 'orders.fulfil_order'
"""
ENDS = "SELECT state, count(*) FROM orders_order WHERE external_reference LIKE %s GROUP BY 1 ORDER BY 1"


@dataclass(frozen=True)
class Shopper:
    """One shop whose orders go to a sandbox at `url`."""

    url: str
    shop_id: UUID

    @classmethod
    def open(cls, url: str) -> Shopper:
        """Make the shop and fill its shelf."""
        shop, _ = create_shop("Bench", slug="bench", now=database_now())
        ensure_locations([(shop.pk, "main")], now=database_now())
        moves = [MoveStock(uuid7(), shop.pk, sku, "receipt", PLENTY) for sku in SKUS]
        with transaction.atomic():
            record_movements(moves, now=database_now())
        return cls(url, shop.pk)

    def request(self, style: str, reference: str, number: int, *, sold_out: bool = False) -> PlaceOrder:
        """One order of three lines."""
        goods = [SKUS[(number * 7 + n * 31) % len(SKUS)] for n in range(LINES)]
        if sold_out:
            goods[-1] = NOTHING
        return PlaceOrder(
            shop_id=self.shop_id, external_reference=reference, currency="EUR", country="DE",
            payment_method="pm_card_visa", placed_at=database_now(), customer_reference=reference,
            lines=[LineInput(sku=sku, name=sku, quantity=1, unit_price_minor=1_000) for sku in goods],
            fulfilment=style,
        )  # fmt: skip

    def place(self, style: str, prefix: str, count: int, *, refused_share: float = 0.0) -> None:
        """Place many, `refused_share` of them for each step that can refuse; batch by batch."""
        troubled = self._trouble(prefix, count, refused_share)
        requests = [self.request(style, f"{prefix}-{n}", n, sold_out=n in troubled) for n in range(count)]
        for start in range(0, count, BATCH):
            place_orders(requests[start : start + BATCH], now=database_now())

    def place_one(self, style: str, reference: str, number: int) -> UUID:
        """Place one order alone."""
        (placed,) = place_orders([self.request(style, reference, number)], now=database_now())
        assert not isinstance(placed, Exception)
        return placed.order_id

    def refuse(self, operation: str, reference: str, action: str, code: str) -> None:
        """Let the sandbox say no to one order."""
        body = {"operation": operation, "reference": reference, "action": action, "params": {"code": code}}
        data = json.dumps({**body, "append": True}).encode()
        request = Request(f"{self.url}/sandbox/scripts", data, method="PUT")  # noqa: S310 - our own sandbox
        request.add_header("Content-Type", "application/json")
        urlopen(request, timeout=10).close()  # noqa: S310

    def asked_to_book(self, reference: str) -> bool:
        """Whether the carrier has been asked for this order's label: its answer leaves at that moment."""
        with urlopen(f"{self.url}/sandbox/effects?reference={reference}", timeout=10) as answer:  # noqa: S310
            return bool(json.load(answer)["attempts"].get("book"))

    def forget_refusals(self) -> None:
        """Let the sandbox say yes to all again."""
        urlopen(Request(f"{self.url}/sandbox/scripts", method="DELETE"), timeout=10).close()  # noqa: S310

    def _trouble(self, prefix: str, count: int, share: float) -> set[int]:
        """Script the refusals; the numbers of the orders whose goods are sold out."""
        if not share:
            return set()
        every = round(1 / share)
        for place, (operation, action, code) in enumerate(TROUBLE):
            for n in range(place, count, every):
                self.refuse(operation, f"{prefix}-{n}", action, code)
        return set(range(len(TROUBLE), count, every))


def seconds_of(prefix: str) -> float:
    """From the start of the first saga to the end of the last."""
    return float(rows(SPAN, [f"{prefix}-%"])[0][0])


def ends_of(prefix: str) -> dict[str, int]:
    """How many orders ended how."""
    return dict(rows(ENDS, [f"{prefix}-%"]))


def percentiles(values: Sequence[float], *points: int) -> list[float]:
    """Nearest-rank percentiles."""
    ordered = sorted(values)
    return [ordered[max(0, -(-len(ordered) * p // 100) - 1)] for p in points]
