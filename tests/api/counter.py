"""The shop's side of the API, for tests: what a client sends and what it gets back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.test import Client

from orders.commands import create_shop
from orders.models import Shop
from tests.orders.read_side.taking_in import take_in_everything

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
ORDERS = "/api/v1/orders"
BULK = "/api/v1/orders/bulk"
STOCK = "/api/v1/stock"
MOVEMENTS = "/api/v1/stock/movements"
SAGAS = "/api/v1/sagas"
PROBLEM = "application/problem+json"
NDJSON = "application/x-ndjson"


def an_order(**changes: Any) -> dict[str, Any]:
    """A document that is taken: two lines of 10.00 each and 3.00 shipping, 23.00 EUR in all."""
    return {
        "external_reference": f"R-{uuid4().hex[:12]}",
        "currency": "EUR",
        "lines": [
            {"sku": "MUG", "name": "A mug", "quantity": 2, "unit_price_minor": 500},
            {"sku": "TEA", "name": "Green tea", "quantity": 1, "unit_price_minor": 900, "tax_minor": 100},
        ],
        "charges": [{"kind": "shipping", "amount_minor": 300}],
        "expected_total_minor": 2300,
        "customer": {"reference": "C-1", "name": "Ada Example", "email": "ada@example.org"},
        "ship_to": {"country": "DE", "street": "Long Road 1", "postcode": "10115", "city": "Berlin"},
        "payment_method": "pm_card_visa",
        "placed_at": "2026-01-05T08:00:00+00:00",
    } | changes


@dataclass
class Counter:
    """A shop that talks to the API with its token."""

    shop: Shop
    token: str

    @classmethod
    def open(cls, name: str) -> Counter:
        """A new shop with its first token."""
        return cls(*create_shop(name, now=NOW))

    def get(self, path: str, query: dict[str, Any] | None = None, **headers: str) -> Any:
        """Look at something, once everything written so far is on the read side."""
        take_in_everything()
        return self.get_now(path, query, **headers)

    def get_now(self, path: str, query: dict[str, Any] | None = None, **headers: str) -> Any:
        """Look at what is there now, however far the read side has come."""
        return Client().get(path, query or {}, headers=self._headers(headers))

    def post(self, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Any:
        """Send a document. A new Idempotency-Key each time unless one is given; None sends none."""
        if key is not None:
            headers["Idempotency-Key"] = key or str(uuid4())
        data = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        return Client().post(path, data, content_type="application/json", headers=self._headers(headers))

    def patch(self, path: str, body: Any, *, key: str = "", **headers: str) -> Any:
        """Change something. A new Idempotency-Key each time unless one is given."""
        headers["Idempotency-Key"] = key or str(uuid4())
        data = json.dumps(body).encode()
        return Client().patch(path, data, content_type="application/json", headers=self._headers(headers))

    def place(self, key: str = "", **changes: Any) -> Any:
        """Send an order."""
        return self.post(ORDERS, an_order(**changes), key=key)

    def move(self, *lines: Any) -> list[dict[str, Any]]:
        """Send stock movements; the answer to each line."""
        response = self.move_raw(ndjson(lines))
        assert response.status_code == 200, response.content
        return [json.loads(line) for line in response.content.splitlines()]

    def move_raw(self, sent: bytes) -> Any:
        """Send a body of stock movements as it is."""
        return self.send_lines(MOVEMENTS, sent)

    def bulk(self, *orders: Any) -> list[dict[str, Any]]:
        """Send orders in bulk; the answer to each line."""
        response = self.send_lines(BULK, ndjson(orders))
        assert (response.status_code, response["Content-Type"]) == (200, NDJSON), response.content
        return [json.loads(line) for line in response.content.splitlines()]

    def send_lines(self, path: str, sent: bytes, **headers: str) -> Any:
        """Send a body of lines as it is."""
        return Client().post(path, sent, content_type=NDJSON, headers=self._headers(headers))

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} | more


def ndjson(documents: Iterable[Any]) -> bytes:
    """A document on each line; bytes go as they are."""
    return b"\n".join(d if isinstance(d, bytes) else json.dumps(d).encode() for d in documents)


def problem(response: Any) -> tuple[int, str]:
    """Status and code of a problem document, which must be well-formed."""
    assert response["Content-Type"] == PROBLEM, response.content
    body = response.json()
    assert body["status"] == response.status_code
    assert body["type"] == f"/api/problems/#{body['code']}"
    assert body["correlation_id"] == response["X-Correlation-Id"]
    return body["status"], body["code"]
