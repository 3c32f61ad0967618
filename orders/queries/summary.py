"""Sums over orders, read from cells that were summed before: never from the orders themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from orders.queries.seen import PROJECTION
from orders.states import State
from sagas.sight import Sight, sight
from sagas.sql import rows

#: What sums can be split by. Currencies are never added up.
GROUPS = ("day", "country", "status")
MOST_DAYS = 366

SUMS = """
SELECT {groups}currency, sum(orders)::bigint, sum(total_minor)::bigint, sum(captured_minor)::bigint,
       sum(refunded_minor)::bigint
  FROM orders_ordersummary
 WHERE slot = %(slot)s AND shop_id = %(shop_id)s AND day >= %(since)s AND day <= %(until)s AND {where}
 GROUP BY {groups}currency ORDER BY {groups}currency
"""
WHERE = {
    "countries": "country = ANY(%(countries)s::text[])",
    "statuses": "status = ANY(%(statuses)s::text[])",
    "currencies": "currency = ANY(%(currencies)s::text[])",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SummaryFilters:
    """Which orders are summed: placed from `since` to `until`, both included and in UTC. Empty means all."""

    since: date
    until: date
    countries: Sequence[str] = ()
    statuses: Sequence[State] = ()
    currencies: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """Sums over some orders. What it is not split by is None."""

    day: date | None
    country: str | None
    status: str | None
    currency: str
    orders: int
    total_minor: int
    captured_minor: int
    refunded_minor: int


def order_summary(
    filters: SummaryFilters, *, shop_id: UUID, group_by: Sequence[str] = ("status",), at: Sight | None = None
) -> list[SummaryLine]:
    """The shop's sums by currency and by what `group_by` names, in that order. Raises ValueError for other names."""
    if not set(group_by) <= set(GROUPS):
        raise ValueError(f"Sums are split by {', '.join(GROUPS)}.")
    at = at or sight(PROJECTION)
    groups = [name for name in GROUPS if name in group_by]
    values = {name: [str(v) for v in getattr(filters, name)] for name in WHERE}
    where = " AND ".join(WHERE[name] for name in WHERE if values[name]) or "true"
    params = {
        **values,
        "since": filters.since,
        "until": filters.until,
        "shop_id": shop_id,
        "slot": at.slot,
    }
    sql = SUMS.format(groups="".join(f"{name}, " for name in groups), where=where)
    return [_line(groups, row) for row in rows(sql, params, using=at.using, prepare=False)]


def _line(groups: Sequence[str], row: tuple[object, ...]) -> SummaryLine:
    cell = dict(zip(groups, row, strict=False))
    parts = [cell.get(name) for name in GROUPS]
    return SummaryLine(*parts, *row[len(groups) :])  # type: ignore[arg-type]  # a row of SUMS
