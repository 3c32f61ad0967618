"""From the rows of a credit note to what is given back, one part for each order it concerns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from orders.imports.online_retail.faults import Contradictory
from orders.imports.online_retail.kinds import BOOK_KEEPING, LineKind
from orders.imports.online_retail.matching import Match, Order, SalesBook
from orders.imports.online_retail.money import CURRENCY, LARGEST_MINOR, rounded_minor, split_minor, total
from orders.imports.online_retail.rows import Row
from orders.imports.records import CreditDraft, CreditKind, CreditLine

#: The file does not say whether goods had left the house. Within a day of the order they had not, we say.
CANCELLATION_WITHIN = timedelta(hours=24)


class _Goods(NamedTuple):
    """Pieces of a SKU given back, and what they are worth."""

    sku: str
    quantity: int
    amount: Decimal


@dataclass(slots=True)
class _Part:
    """What one credit note gives back of one order (None: of no order that can be found)."""

    order: Order | None
    goods: list[_Goods] = field(default_factory=list)
    money: Decimal = Decimal(0)


def build_credit(number: str, rows: Sequence[Row], book: SalesBook) -> tuple[CreditDraft, ...]:
    """Build the parts of a credit note and use up the sales they are matched to.

    Refunds are at the note's own prices. Book-keeping rows (fees, samples, bad debt) must have been taken
    out. Money without goods joins the note's first matched order, else the customer's latest, else none.
    Raises Contradictory when the note contradicts itself; then nothing is used up.
    """
    _check(rows)
    parts: dict[Order | None, _Part] = {}
    for row in rows:
        if row.kind is LineKind.GOODS:
            _add_goods(parts, row, book.match(row))
    money = total(-row.quantity * row.price for row in rows if row.kind is not LineKind.GOODS)
    if money:
        order = _order_for_money(parts, rows[0].customer, book)
        parts.setdefault(order, _Part(order)).money += money
    return _drafts(number, rows, list(parts.values()))


def without_book_keeping(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Split a credit note's rows into what concerns a customer and what only the books."""
    kept = [row for row in rows if row.kind not in BOOK_KEEPING]
    return kept, [row for row in rows if row.kind in BOOK_KEEPING]


def _check(rows: Sequence[Row]) -> None:
    if len({row.customer for row in rows}) > 1:
        raise Contradictory("customers_differ", "the rows name more than one customer")
    if any(row.quantity > 0 for row in rows):
        raise Contradictory("quantity_positive", "a credit note has a row with a positive quantity")
    if any(row.price < 0 for row in rows):
        raise Contradictory("price_negative", "a credit note has a row with a negative price")
    if all(row.price == 0 and row.kind is not LineKind.GOODS for row in rows):
        raise Contradictory("nothing_given_back", "the note gives back neither goods nor money")
    if rounded_minor(total(-row.quantity * row.price for row in rows)) >= LARGEST_MINOR:
        raise Contradictory("total_wrong", "the total is beyond any order")


def _add_goods(parts: dict[Order | None, _Part], row: Row, match: Match) -> None:
    takes: Sequence[tuple[Order | None, int]] = match.takes or [(None, -row.quantity)]
    for order, pieces in takes:
        known = order if order and order.imported else None
        goods = _Goods(row.sku, pieces, pieces * row.price)
        parts.setdefault(known, _Part(known)).goods.append(goods)


def _order_for_money(parts: Mapping[Order | None, _Part], customer: str, book: SalesBook) -> Order | None:
    matched = next((order for order in parts if order), None)
    return matched or book.latest_order(customer)


def _drafts(number: str, rows: Sequence[Row], parts: Sequence[_Part]) -> tuple[CreditDraft, ...]:
    issued_at = min(row.at for row in rows).astimezone(UTC)
    references = [number] if len(parts) == 1 else [f"{number}/{place}" for place in range(1, len(parts) + 1)]
    return tuple(
        _draft(reference, number, rows[0].customer, issued_at, part)
        for reference, part in zip(references, parts, strict=True)
    )


def _draft(reference: str, number: str, customer: str, issued_at: datetime, part: _Part) -> CreditDraft:
    *amounts, money_minor = split_minor([goods.amount for goods in part.goods] + [part.money])
    return CreditDraft(
        reference=reference,
        document=number,
        order=part.order.reference if part.order else None,
        customer=customer,
        kind=_kind(part, issued_at),
        issued_at=issued_at,
        currency=CURRENCY,
        lines=tuple(
            CreditLine(sku=goods.sku, quantity=goods.quantity, amount_minor=amount)
            for goods, amount in zip(part.goods, amounts, strict=True)
        ),
        money_minor=money_minor,
        amount_minor=sum(amounts) + money_minor,
    )


def _kind(part: _Part, issued_at: datetime) -> CreditKind:
    if not part.goods:
        return CreditKind.ALLOWANCE
    if part.order and issued_at - part.order.placed_at <= CANCELLATION_WITHIN:
        return CreditKind.CANCELLATION
    return CreditKind.RETURN
