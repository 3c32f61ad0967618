"""Which sale a returned piece belongs to. Needs only the file, in file order.

The file does not say which order a credit note corrects. Each of its goods rows is matched to earlier goods
rows of the same customer and SKU that still have something left, by the first rule that fits (`Rule`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from orders.imports.online_retail.kinds import LineKind
from orders.imports.online_retail.rows import Row


class Rule(StrEnum):
    """How a returned row was matched. "Latest" is the latest in the file."""

    SAME_QUANTITY_AND_PRICE = "a"  #: The latest untouched sale of the same quantity at the same price.
    SAME_QUANTITY = "b"  #: The latest untouched sale of the same quantity at another price.
    PART_OF_ONE = "c"  #: The latest sale with enough left.
    SPREAD = "d"  #: Several sales together, from the latest back.
    NO_CUSTOMER = "e"  #: A guest's; cannot be matched.
    UNMATCHED = "f"  #: No earlier sale has enough left.


@dataclass(slots=True)
class _Sale:
    """A goods row of an order. `left` is what has not been given back yet."""

    order: Order
    quantity: int
    left: int
    price: Decimal

    @property
    def untouched(self) -> bool:
        return self.left == self.quantity


@dataclass(frozen=True, slots=True)
class Order:
    """An earlier invoice with goods. `imported` is false for those that become no order here (free goods)."""

    reference: str
    placed_at: datetime
    imported: bool


class Take(NamedTuple):
    """So many pieces belong to this order."""

    order: Order
    quantity: int


class Match(NamedTuple):
    """The rule that fitted, and the orders the pieces belong to (none by rules e and f)."""

    rule: Rule
    takes: tuple[Take, ...]


class SalesBook:
    """Remembers what each customer bought. Holds one small entry for each goods row with a customer."""

    def __init__(self) -> None:
        self._sales: defaultdict[tuple[str, str], list[_Sale]] = defaultdict(list)
        self._latest_order: dict[str, Order] = {}
        self.rules: Counter[Rule] = Counter()  #: How often each rule fitted.

    def remember(self, order: Order, rows: Sequence[Row]) -> None:
        """Add an invoice with goods. Guests' are not kept: nothing can be matched to them."""
        for row in rows:
            if row.customer and row.kind is LineKind.GOODS and row.quantity > 0:
                sale = _Sale(order, row.quantity, row.quantity, row.price)
                self._sales[row.customer, row.sku].append(sale)
        if order.imported and rows[0].customer:
            self._latest_order[rows[0].customer] = order

    def latest_order(self, customer: str) -> Order | None:
        """The customer's latest imported order before this place in the file."""
        return self._latest_order.get(customer)

    def match(self, row: Row) -> Match:
        """Find the sales a goods row of a credit note gives back, and use them up."""
        match = self._match(row)
        self.rules[match.rule] += 1
        return match

    def _match(self, row: Row) -> Match:
        if not row.customer:
            return Match(Rule.NO_CUSTOMER, ())
        wanted = -row.quantity
        sales = self._sales.get((row.customer, row.sku), [])
        found = _one_sale(sales, wanted, row.price)
        if found is not None:
            rule, sale = found
            return Match(rule, (_take(sale, wanted),))
        if sum(sale.left for sale in sales) < wanted:
            return Match(Rule.UNMATCHED, ())
        return Match(Rule.SPREAD, tuple(_spread(sales, wanted)))


def _one_sale(sales: Sequence[_Sale], wanted: int, price: Decimal) -> tuple[Rule, _Sale] | None:
    same = [sale for sale in sales if sale.untouched and sale.quantity == wanted]
    for sale in reversed(same):
        if sale.price == price:
            return Rule.SAME_QUANTITY_AND_PRICE, sale
    if same:
        return Rule.SAME_QUANTITY, same[-1]
    for sale in reversed(sales):
        if sale.left >= wanted:
            return Rule.PART_OF_ONE, sale
    return None


def _spread(sales: Sequence[_Sale], wanted: int) -> Iterator[Take]:
    for sale in reversed(sales):
        pieces = min(sale.left, wanted)
        if pieces:
            wanted -= pieces
            yield _take(sale, pieces)


def _take(sale: _Sale, pieces: int) -> Take:
    sale.left -= pieces
    return Take(sale.order, pieces)
