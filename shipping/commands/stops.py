"""Which orders may not leave for want of goods. Kept by order: of one in parcels the next may still be booked.

Whoever takes a stop in hand holds its row, before any shipment of the order, until the end of the transaction. So of
news of the goods and a booking at the same moment the later one knows of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sagas.sql import execute, rows

STOCK_SHORT = "inventory.stock_short"

HOLD = """
INSERT INTO shipping_stop AS s (order_id, reason, version)
SELECT u.order_id, '', 0 FROM unnest(%s::uuid[]) AS u (order_id) ORDER BY 1
ON CONFLICT (order_id) DO UPDATE SET version = s.version
RETURNING order_id, reason, version
"""
NOTE = """
INSERT INTO shipping_stop AS s (order_id, reason, version)
SELECT * FROM unnest(%s::uuid[], %s::text[], %s::int[]) AS u (order_id, reason, version) ORDER BY 1
ON CONFLICT (order_id) DO UPDATE SET reason = excluded.reason, version = excluded.version
 WHERE s.version < excluded.version
"""
CARRY = """
UPDATE shipping_shipment s SET stop_reason = u.reason, stop_version = u.version
  FROM unnest(%s::uuid[], %s::text[], %s::int[]) AS u (id, reason, version) WHERE s.id = u.id
"""


@dataclass(frozen=True)
class StockNews:
    """What inventory says of one order's goods. A later `version` outdates an earlier one."""

    order_id: UUID
    short: bool
    version: int

    @property
    def reason(self) -> str:
        """Why it may not leave, or nothing."""
        return STOCK_SHORT if self.short else ""


@dataclass(frozen=True)
class Stop:
    """Why an order may not leave, or nothing, and the version of the news that decided it; 0 before any."""

    reason: str
    version: int


def note(news: Iterable[StockNews]) -> None:
    """Write down what was heard. Safe to repeat and to hear in any order."""
    latest: dict[UUID, StockNews] = {}
    for one in sorted(news, key=lambda one: one.version):
        latest[one.order_id] = one
    if latest:
        columns = zip(*((one.order_id, one.reason, one.version) for one in latest.values()), strict=True)
        execute(NOTE, [list(column) for column in columns])


def hold(order_ids: Iterable[UUID]) -> dict[UUID, Stop]:
    """Take the stops of orders in hand; those of which nothing was heard yet get a row to wait for."""
    wanted = sorted(set(order_ids))
    return {order_id: Stop(*stop) for order_id, *stop in rows(HOLD, [wanted])} if wanted else {}


def carry(shipments: Sequence[tuple[UUID, UUID]], stops: Mapping[UUID, Stop]) -> None:
    """Let new shipments be stopped like their orders, by id with its order."""
    found = [(id_, stop) for id_, order_id in shipments if (stop := stops.get(order_id)) and stop.version]
    if found:
        execute(CARRY, [[i for i, _ in found], [s.reason for _, s in found], [s.version for _, s in found]])
