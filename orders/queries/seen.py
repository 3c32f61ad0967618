"""One order as the read side shows it, with the customer's name joined in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from orders.customers import customer_in
from orders.read_side.row import COLUMNS, OrderRow
from sagas.sight import Sight, sight
from sagas.sql import rows

PROJECTION = "orders.view"

#: What a query returns of each order: its row, then its customer.
SEEN = ", ".join(f"v.{name}::text" if name in ("skus", "charges") else f"v.{name}" for name in COLUMNS)
SEEN += ", p.reference, p.name, p.email"

ONE = f"""
SELECT {SEEN}, (SELECT o.in_parcels FROM orders_order o WHERE o.id = v.order_id)
  FROM orders_orderview v LEFT JOIN sagas_person p ON p.id = v.person_id
 WHERE v.slot = %s AND v.order_id = %s AND v.shop_id = %s
"""  # noqa: S608 - names of columns only


@dataclass(frozen=True, slots=True)
class Customer:
    """Who ordered. Erased people have no name and no e-mail; `reference` is the shop's own, "" for a guest."""

    reference: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """One order: its row, and who ordered. `in_parcels`: placed with `ship_in_parcels`; lists do not ask."""

    row: OrderRow
    customer: Customer
    in_parcels: bool = False

    @property
    def charges(self) -> list[dict[str, Any]]:
        """Money on the order beside its lines."""
        found: list[dict[str, Any]] = json.loads(self.row.charges)
        return found


def seen(values: Sequence[Any]) -> OrderSeen:
    """Build it from a row of `SEEN`."""
    reference, name, email = values[-3:]
    return OrderSeen(OrderRow(*values[:-3]), Customer(customer_in(reference or ""), name or "", email or ""))


def get_order(order_id: UUID, shop_id: UUID, *, at: Sight | None = None) -> OrderSeen | None:
    """One order of the shop, or None if there is none or it is another shop's. Its lines: `lines_of`."""
    at = at or sight(PROJECTION)
    found = rows(ONE, [at.slot, order_id, shop_id], using=at.using)
    return replace(seen(found[0][:-1]), in_parcels=bool(found[0][-1])) if found else None
