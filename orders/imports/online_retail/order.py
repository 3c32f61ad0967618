"""From the rows of an invoice to an order in minor units."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from orders.imports.online_retail.faults import Contradictory
from orders.imports.online_retail.kinds import LineKind
from orders.imports.online_retail.money import (
    CURRENCY,
    LARGEST_MINOR,
    floored_minor,
    rounded_minor,
    total,
)
from orders.imports.online_retail.rows import Row
from orders.imports.records import ChargeDraft, LineDraft, OrderDraft

SOLD = frozenset({LineKind.GOODS, LineKind.VOUCHER})


def build_order(number: str, rows: Sequence[Row]) -> OrderDraft:
    """Build the order an invoice states. Raises Contradictory when it contradicts itself.

    The total is the exact sum of quantity times price over all rows, rounded once. Unit prices are whole
    minor units; what they leave of the total (a price may be a tenth of a penny) is a charge, "rounding".
    """
    _check(rows)
    lines = tuple(_line(row) for row in rows if row.kind in SOLD)
    charged = [row for row in rows if row.kind not in SOLD]
    total_minor = rounded_minor(total(row.quantity * row.price for row in rows))
    goods_minor = sum(line.total_minor for line in lines)
    charges = _charges(charged, rest=total_minor - goods_minor)
    if not 0 < total_minor < LARGEST_MINOR:
        raise Contradictory("total_wrong", f"the total is {total_minor} minor units")
    return OrderDraft(
        reference=number,
        customer=rows[0].customer,
        country=rows[0].country,
        placed_at=min(row.at for row in rows).astimezone(UTC),
        currency=CURRENCY,
        lines=lines,
        charges=charges,
        total_minor=total_minor,
        goods_minor=goods_minor,
        charges_minor=sum(charge.amount_minor for charge in charges),
    )


def _check(rows: Sequence[Row]) -> None:
    if len({row.customer for row in rows}) > 1:
        raise Contradictory("customers_differ", "the rows name more than one customer")
    if len({row.country for row in rows}) > 1:
        raise Contradictory("countries_differ", "the rows name more than one country")
    if any(row.quantity < 0 for row in rows):
        raise Contradictory("quantity_negative", "an order has a row with a negative quantity")
    if any(row.price < 0 for row in rows):
        raise Contradictory("price_negative", "an order has a row with a negative price")


def _line(row: Row) -> LineDraft:
    unit_price_minor = floored_minor(row.price)
    return LineDraft(
        sku=row.sku,
        name=row.description,
        kind=row.kind.value,
        quantity=row.quantity,
        unit_price_minor=unit_price_minor,
        total_minor=row.quantity * unit_price_minor,
    )


def _charges(rows: Sequence[Row], *, rest: int) -> tuple[ChargeDraft, ...]:
    """One charge a row that costs something, and the rest, never negative, as rounding."""
    charges = [
        ChargeDraft(kind=row.kind.value, amount_minor=floored_minor(row.quantity * row.price)) for row in rows
    ]
    rounding = rest - sum(charge.amount_minor for charge in charges)
    charges.append(ChargeDraft(kind="rounding", amount_minor=rounding))
    return tuple(charge for charge in charges if charge.amount_minor)
