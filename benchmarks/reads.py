"""The reads that are measured. Imported once Django knows its database."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from benchmarks.filling import Filled
from orders.queries import OrderFilters, SummaryFilters, get_order, list_orders, order_summary
from orders.states import State

Read = Callable[[Filled, random.Random], object]

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 30


@cache
def samples(shop: Filled) -> list[UUID]:
    """Some of its orders."""
    return shop.sample(2_000)


def one(shop: Filled, chance: random.Random) -> object:
    """One order."""
    return get_order(chance.choice(samples(shop)), shop.shop_id, at=shop.sight)


def listed(*, limit: int = 50, **filters: Any) -> Read:
    """A page by these filters; one that can be called is drawn anew each time."""

    def read(shop: Filled, chance: random.Random) -> object:
        given = {name: value(shop, chance) if callable(value) else value for name, value in filters.items()}
        return list_orders(OrderFilters(**given), shop_id=shop.shop_id, at=shop.sight, limit=limit)

    return read


def deep(shop: Filled, chance: random.Random) -> object:
    """A page from the middle of all."""
    after = ("order_id", str(chance.choice(samples(shop))))
    return list_orders(OrderFilters(), shop_id=shop.shop_id, at=shop.sight, after=after)


def summed(days: int, *group_by: str) -> Read:
    """Sums over so many days."""

    def read(shop: Filled, chance: random.Random) -> object:
        since = BEGAN.date() + timedelta(days=chance.randrange(DAYS - days + 1))
        asked = SummaryFilters(since=since, until=since + timedelta(days=days - 1))
        return order_summary(asked, shop_id=shop.shop_id, group_by=group_by, at=shop.sight)

    return read


def moment(_: Filled, chance: random.Random) -> datetime:
    """A time at which orders were placed."""
    return BEGAN + timedelta(hours=chance.randrange(24 * (DAYS - 1)))


def number(shop: Filled, chance: random.Random) -> str:
    """The shop's number of an order."""
    return f"W-{chance.randint(1, shop.orders)}"


def customer(shop: Filled, chance: random.Random) -> str:
    """The shop's name of a customer."""
    return f"C{chance.randint(1, shop.people)}"


#: Every read by its name: each filter alone, where it is rare and where it is frequent, and some together. What is
#: rare is asked for in small pages, which both sizes fill: an answer of ten rows is not compared with one of fifty.
READS: dict[str, Read] = {
    "get_order": one,
    "list, newest": listed(),
    "list, deep page": deep,
    "state, frequent": listed(states=(State.COMPLETED,)),
    "state, rare": listed(states=(State.CANCELLING,), limit=5),
    "states, three": listed(states=(State.DRAFT, State.PENDING, State.CANCELLED)),
    "country": listed(country="AT"),
    "placed from": listed(placed_from=moment),
    "placed to": listed(placed_to=moment),
    "amount from": listed(total_from=lambda _, chance: chance.randint(300, 9000)),
    "amount to": listed(total_to=lambda _, chance: chance.randint(400, 9000)),
    "SKU, frequent": listed(sku="SKU0"),
    "SKU, any": listed(sku=lambda _, chance: f"SKU{chance.randrange(200)}", limit=10),
    "SKU, rare": listed(sku="RARE"),
    "failure code": listed(end_code="payments.declined"),
    "needs attention": listed(needs_attention=True, limit=10),
    "customer": listed(customer=customer),
    "e-mail": listed(email=lambda shop, chance: f"{customer(shop, chance)}@example.org"),
    "reference": listed(reference=number),
    "search, prefix": listed(reference_prefix=lambda shop, chance: number(shop, chance)[:4]),
    "SKU and state": listed(sku="SKU1", states=(State.COMPLETED,)),
    "country, date and amount": listed(country="DE", placed_to=moment, total_from=2000),
    "summary, 7 days by status": summed(7, "status"),
    "summary, 30 days by day": summed(DAYS, "day"),
}
