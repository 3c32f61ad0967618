"""A batch of orders as columns: everything that any statement of the flow needs, made once for all of them."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

from benchmarks.full_flow.goods import (
    CARD,
    COUNTRY,
    CURRENCY,
    Shop,
    address_of,
    email_of,
    name_of,
)
from benchmarks.full_flow.providers import PRICE_MINOR, intent_id, label_id, tracking_number
from benchmarks.side_by_side.workload import Line, Wanted

#: Under it idempotency keys are made. Not a choice: providers have seen keys under it.
KEYS = UUID("3f1f9a5c-7f5e-5b64-9a3e-6d1c2b7f0a41")
#: Each step, by the word that its columns begin with.
STEPS = {
    "place": "orders.place_order", "authorize": "payments.authorize_payment", "reserve": "inventory.reserve_stock",
    "book": "shipping.book_shipment", "capture": "payments.capture_payment", "confirm": "orders.confirm_order",
}  # fmt: skip
#: Whatever gets an identity of its own with an order.
OBJECTS = ("order", "person", "saga", "payment", "reservation", "shipment", "hold_entry", "capture_entry")

Columns = dict[str, Any]


def columns(orders: Sequence[Wanted], shop: Shop, *, placed_at: datetime) -> Columns:
    """The whole batch. One value for each order, and for each line where the name begins with `line_`."""
    found = _constants(shop, placed_at) | _identities(orders, shop) | _facts(orders, shop)
    return found | _lines(orders, found) | _stock(orders) | _providers(found)


def _constants(shop: Shop, placed_at: datetime) -> Columns:
    attempt = [datetime.now(UTC).isoformat(timespec="milliseconds"), 1, "done", ""]
    worker = f"{socket.gethostname()}:{os.getpid()}"
    return {
        "shop": shop.id, "location": shop.location_id, "country": COUNTRY, "currency": CURRENCY, "card": CARD,
        "price": PRICE_MINOR, "placed_at": placed_at, "placed_iso": placed_at.isoformat(),
        "here": json.dumps([[*attempt, ""]]), "outside": json.dumps([[*attempt, worker]]),
        **{f"{step}_name": name for step, name in STEPS.items()},
    }  # fmt: skip


def _identities(orders: Sequence[Wanted], shop: Shop) -> Columns:
    """Ids, and for each step its row's id and its idempotency key."""
    ids: Columns = {name: [uuid7() for _ in orders] for name in OBJECTS}
    for step, name in STEPS.items():
        ids[f"{step}_step"] = [uuid7() for _ in orders]
        ids[f"{step}_key"] = [uuid5(KEYS, f"{shop.id}|{o.reference}|{name}|1") for o in orders]
    return ids


def _facts(orders: Sequence[Wanted], shop: Shop) -> Columns:
    where = str(shop.location_id)
    return {
        "reference": [o.reference for o in orders],
        "person_reference": [_person(o) for o in orders],
        "name": [name_of(o) for o in orders],
        "email": [email_of(o) for o in orders],
        "address": [json.dumps(address_of(o)) for o in orders],
        "total": [o.total_minor for o in orders],
        "pieces": [sum(line.quantity for line in o.lines) for o in orders],
        "skus": ["{" + ",".join(sorted(line.sku for line in o.lines)) + "}" for o in orders],
        "placed_lines": [json.dumps([_placed(n, x) for n, x in enumerate(o.lines, 1)]) for o in orders],
        "held_lines": [json.dumps([_packed(x) | {"location_id": where} for x in o.lines]) for o in orders],
        "sent_lines": [json.dumps([_packed(x) for x in o.lines]) for o in orders],
    }


def _person(order: Wanted) -> str:
    written = json.dumps(address_of(order), sort_keys=True)
    return f"{order.reference}/{hashlib.sha256(written.encode()).hexdigest()[:16]}"


def _placed(position: int, line: Line) -> dict[str, Any]:
    return {
        "position": position, "sku": line.sku, "name": line.sku, "kind": "goods", "quantity": line.quantity,
        "unit_price_minor": line.price_minor, "tax_minor": 0, "discount_minor": 0,
        "total_minor": line.quantity * line.price_minor,
    }  # fmt: skip


def _packed(line: Line) -> dict[str, Any]:
    return {"sku": line.sku, "quantity": line.quantity}


def _lines(orders: Sequence[Wanted], ids: Columns) -> Columns:
    lines = [(n, position, line) for n, o in enumerate(orders) for position, line in enumerate(o.lines, 1)]
    return {
        **{f"line_{name}": [ids[name][n] for n, _, _ in lines] for name in ("order", "reservation", "shipment")},
        "line_position": [position for _, position, _ in lines],
        "line_sku": [line.sku for _, _, line in lines],
        "line_quantity": [line.quantity for _, _, line in lines],
        "line_price": [line.price_minor for _, _, line in lines],
    }  # fmt: skip


def _stock(orders: Sequence[Wanted]) -> Columns:
    """How much of each SKU the batch takes together."""
    taken: Counter[str] = Counter()
    for order in orders:
        for line in order.lines:
            taken[line.sku] += line.quantity
    return {"sku": list(taken), "taken": list(taken.values())}


def _providers(ids: Columns) -> Columns:
    """What the gateway and the carrier would answer."""
    asked = zip(ids["authorize_key"], ids["total"], strict=True)
    return {
        "intent": [intent_id(key, total, CURRENCY) for key, total in asked],
        "label": [label_id(key) for key in ids["book_key"]],
        "tracking": [tracking_number(key) for key in ids["book_key"]],
    }
