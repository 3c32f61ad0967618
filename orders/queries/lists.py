"""Lists of orders whose cost does not grow with the orders there are.

Each list reads one index, the *driver*, in the order of its pages and from where the last page ended. What is asked
besides is tested on the rows that the driver brings, on at most `WINDOW` of them for one page: a page may
therefore hold fewer orders than asked for and still not be the last. Only `after` None is the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from orders.queries.drivers import Driver, Key, choose
from orders.queries.seen import PROJECTION, SEEN, OrderSeen, seen
from orders.states import State
from sagas.sight import Sight, sight
from sagas.sql import rows

LARGEST_PAGE = 200
#: So many rows are looked at for one page when the driver does not answer the whole question.
WINDOW = 2_000

PAGE = """
SELECT {seen} FROM ({driver} LIMIT %(window)s) w
  JOIN orders_orderview v ON v.slot = %(slot)s AND v.order_id = w.order_id
  LEFT JOIN sagas_person p ON p.id = v.person_id
 WHERE {rest}
 ORDER BY {order} LIMIT %(size)s
"""
# The last row of a window that is full: the next page begins after it.
WINDOW_END = """
SELECT {key} FROM (
  SELECT w.*, row_number() OVER (ORDER BY {order}) AS n FROM ({driver} LIMIT %(window)s) w) w
 WHERE n = %(window)s
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderFilters:
    """What a list is narrowed to; all that is given must hold. Only `placed_to` is excluded from its range.

    `customer` is the shop's own name for the person, `reference` its own name of the order.
    """

    states: Sequence[State] = ()
    placed_from: datetime | None = None
    placed_to: datetime | None = None
    person_id: UUID | None = None
    customer: str | None = None
    email: str | None = None
    total_from: int | None = None
    total_to: int | None = None
    sku: str | None = None
    country: str | None = None
    end_code: str | None = None
    needs_attention: bool | None = None
    reference: str | None = None
    reference_prefix: str | None = None

    def asked(self) -> dict[str, Any]:
        """The filters that were given."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in found.items() if value not in (None, ())}


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders in the order of their list. `after` asks for the next page; None when this was the last."""

    orders: Sequence[OrderSeen]
    after: Key | None


def list_orders(
    filters: OrderFilters,
    *,
    shop_id: UUID,
    after: Key | None = None,
    limit: int = 50,
    at: Sight | None = None,
) -> OrderPage:
    """One page of the shop's orders. `limit` is cut to 1..200.

    Newest first; but what is narrowed by a range and by nothing that is rarer comes in the order of the range:
    the latest date or the greatest amount first, and searched by the beginning of a reference the least first.
    Raises ValueError for the `after` of a list in another order.
    """
    asked = filters.asked()
    driver = choose(asked)
    at = at or sight(PROJECTION)
    size = max(1, min(limit, LARGEST_PAGE))
    rest = driver.rest(asked)
    params = {
        **driver.params(asked, after),
        "shop_id": shop_id,
        "slot": at.slot,
        "window": WINDOW if rest else size + 1,
        "size": size + 1,
    }
    source = driver.sql(asked, after=after is not None)
    conditions = " AND ".join(rest) or "true"
    sql = PAGE.format(seen=SEEN, driver=source, rest=conditions, order=driver.order("w"))
    found = [seen(row) for row in rows(sql, params, using=at.using, prepare=False)]
    if len(found) > size:
        return OrderPage(found[:size], driver.key_of(found[size - 1].row))
    return OrderPage(found, _window_end(driver, source, params, at) if rest else None)


def orders_of_customer(
    customer: str | UUID,
    *,
    shop_id: UUID,
    filters: OrderFilters | None = None,
    after: Key | None = None,
    limit: int = 50,
    at: Sight | None = None,
) -> OrderPage:
    """One page of a person's orders, newest first. A text is the shop's own name for them, an id is ours."""
    who = {"person_id": customer} if isinstance(customer, UUID) else {"customer": customer}
    wanted = replace(filters or OrderFilters(), **who)
    return list_orders(wanted, shop_id=shop_id, after=after, limit=limit, at=at)


def _window_end(driver: Driver, source: str, params: dict[str, Any], at: Sight) -> Key | None:
    sql = WINDOW_END.format(key=", ".join(driver.columns), driver=source, order=driver.order("w"))
    found = rows(sql, params, using=at.using, prepare=False)
    return driver.key(found[0]) if found else None
