"""Which index answers a list of orders, and in what order. Every driver walks its index no further than a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orders.customers import ADDRESS_DIGITS
from orders.read_side.row import OrderRow

#: Where a page ends: the name of the order it is in, and the values of its last row.
Key = tuple[str, ...]

#: An e-mail may be many people's: each guest is one of their own. So many are looked at, newest first.
MOST_PEOPLE = 200

BY_EMAIL = f"""
SELECT id FROM sagas_person
 WHERE lower(email) = lower(%(email)s) AND NOT email = '' AND shop_id = %(shop_id)s ORDER BY id DESC LIMIT {MOST_PEOPLE}
"""  # noqa: S608 - a number of this module
# A customer is a person for each address: the name, a stroke and digits from 0 to f. The range goes by bytes, as the
# index of references does, whatever the collation; there may be others in it.
BY_CUSTOMER = f"""
SELECT id FROM (
  SELECT id, reference FROM sagas_person
   WHERE shop_id = %(shop_id)s AND reference ~>=~ (%(customer)s || '/0')
     AND reference ~<=~ (%(customer)s || '/g')
   ORDER BY reference USING ~<~ LIMIT {10 * MOST_PEOPLE}) p
 WHERE starts_with(reference, %(customer)s || '/') AND length(reference) = length(%(customer)s) + {1 + ADDRESS_DIGITS}
 ORDER BY id DESC LIMIT {MOST_PEOPLE}
"""  # noqa: S608 - numbers of this module

#: What a row must be, for each filter that is not the driver's.
REST = {
    "states": "v.state = ANY(%(states)s::text[])",
    "placed_from": "v.placed_at >= %(placed_from)s",
    "placed_to": "v.placed_at < %(placed_to)s",
    "person_id": "v.person_id = %(person_id)s",
    "customer": f"v.person_id IN ({BY_CUSTOMER})",
    "email": "lower(p.email) = lower(%(email)s)",
    "total_from": "v.total_minor >= %(total_from)s",
    "total_to": "v.total_minor <= %(total_to)s",
    "sku": "%(sku)s = ANY(v.skus)",
    "country": "v.country = %(country)s",
    "end_code": "v.end_code = %(end_code)s",
    "needs_attention": "v.needs_attention = %(needs_attention)s",
    "reference": "v.external_reference = %(reference)s",
    "reference_prefix": "starts_with(v.external_reference, %(reference_prefix)s)",
}

WALK = """
SELECT {columns} FROM {table}
 WHERE slot = %(slot)s AND {where} ORDER BY {order}
"""
# Several values of one column: of each as much as one page can need, then the newest of all.
EACH = """
SELECT o.order_id FROM ({values}) u (value) CROSS JOIN LATERAL (
  SELECT order_id FROM orders_orderview WHERE slot = %(slot)s AND {where}
   ORDER BY order_id DESC LIMIT %(window)s) o
 ORDER BY o.order_id DESC
"""
SHOP = "shop_id = %(shop_id)s"


@dataclass(frozen=True, kw_only=True)
class Driver:
    """One index as the source of a list: `where` it is entered, the filters that `answers`, the order it is in."""

    name: str
    answers: tuple[str, ...] = ()
    where: Mapping[str, str] | None = None
    table: str = "orders_orderview"
    values: str = ""
    each: str = ""
    columns: tuple[str, ...] = ("order_id",)
    descending: bool = True

    def sql(self, asked: Mapping[str, Any], *, after: bool) -> str:
        """The statement without its limit."""
        conditions = [self.each] if self.each else [SHOP]
        conditions += [condition for name, condition in (self.where or {}).items() if name in asked]
        if after:
            places = ", ".join(f"%(after_{column})s" for column in self.columns)
            conditions.append(f"({', '.join(self.columns)}) {'<' if self.descending else '>'} ({places})")
        where = " AND ".join(conditions)
        if self.each:
            return EACH.format(values=self.values, where=where)
        return WALK.format(
            columns=", ".join(self.columns), table=self.table, where=where, order=self.order("")
        )

    def order(self, table: str) -> str:
        """The order of the list."""
        prefix, way = f"{table}." if table else "", " DESC" if self.descending else ""
        return ", ".join(f"{prefix}{column}{way}" for column in self.columns)

    def rest(self, asked: Mapping[str, Any]) -> list[str]:
        """What is to be tested on the rows that it brings."""
        return [REST[name] for name in asked if name not in self.answers]

    def params(self, asked: Mapping[str, Any], after: Key | None) -> dict[str, Any]:
        """The values of both. Raises ValueError for a key of another order."""
        values = {name: _plain(value) for name, value in asked.items()}
        if after is None:
            return values
        if after[0] != self.columns[0] or len(after) != len(self.columns) + 1:
            raise ValueError("That is a page of a list in another order.")
        parts = zip(self.columns, after[1:], strict=True)
        return values | {f"after_{column}": _READERS.get(column, str)(part) for column, part in parts}

    def key(self, values: tuple[Any, ...]) -> Key:
        """The key of a row, given the values of `columns`."""
        texts = (v.isoformat() if isinstance(v, datetime) else str(v) for v in values)
        return (self.columns[0], *texts)

    def key_of(self, row: OrderRow) -> Key:
        """The key of a row."""
        return self.key(tuple(getattr(row, column) for column in self.columns))


_READERS: dict[str, Any] = {
    "order_id": UUID,
    "placed_at": datetime.fromisoformat,
    "total_minor": int,
}


def _plain(value: Any) -> Any:
    return [str(item) for item in value] if isinstance(value, list | tuple) else value


def _equals(name: str, column: str) -> Driver:
    return Driver(name=name, answers=(name,), where={name: f"{column} = %({name})s"})


#: The narrowest first: the first of them that was asked for drives.
DRIVERS: tuple[Driver, ...] = (
    _equals("reference", "external_reference"),
    Driver(
        name="reference_prefix",
        answers=("reference_prefix",),
        where={"reference_prefix": "external_reference ^@ %(reference_prefix)s"},
        columns=("external_reference", "order_id"),
        descending=False,
    ),
    _equals("person_id", "person_id"),
    Driver(name="customer", answers=("customer",), values=BY_CUSTOMER, each="person_id = u.value"),
    Driver(name="email", answers=("email",), values=BY_EMAIL, each="person_id = u.value"),
    Driver(name="sku", answers=("sku",), where={"sku": "sku = %(sku)s"}, table="orders_orderviewsku"),
    Driver(
        name="end_code",
        answers=("end_code",),
        where={"end_code": "end_code = %(end_code)s AND NOT (end_code = '')"},
    ),
    Driver(
        name="needs_attention",
        answers=("needs_attention",),
        where={"needs_attention": "needs_attention"},
    ),
    Driver(
        name="placed",
        answers=("placed_from", "placed_to"),
        where={"placed_from": "placed_at >= %(placed_from)s", "placed_to": "placed_at < %(placed_to)s"},
        columns=("placed_at", "order_id"),
    ),
    Driver(
        name="total",
        answers=("total_from", "total_to"),
        where={"total_from": "total_minor >= %(total_from)s", "total_to": "total_minor <= %(total_to)s"},
        columns=("total_minor", "order_id"),
    ),
    Driver(
        name="states",
        answers=("states",),
        values="SELECT unnest(%(states)s::text[])",
        each=f"{SHOP} AND state = u.value",
    ),
    _equals("country", "country"),
)
ALL = Driver(name="all")


def choose(asked: Mapping[str, Any]) -> Driver:
    """The driver of a list with these filters."""
    return next((driver for driver in DRIVERS if _drives(driver, asked)), ALL)


def _drives(driver: Driver, asked: Mapping[str, Any]) -> bool:
    if driver.name == "needs_attention":
        return asked.get("needs_attention") is True  # nearly all orders need none
    return any(name in asked for name in driver.answers)
