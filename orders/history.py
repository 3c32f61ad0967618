"""An order at any time of its life, from its events: as it stood at a version or a moment, and what happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orders import models, snapshots
from orders.aggregate import Order
from sagas import log
from sagas.log import Recorded
from sagas.sql import rows

LARGEST_PAGE = 200
#: What OrderPlaced says of a line.
PLACED = (
    "position", "sku", "name", "kind", "quantity", "unit_price_minor", "tax_minor", "discount_minor", "total_minor",
)  # fmt: skip

#: The newest version of a stream, and the first that came after a moment.
BOUNDS = """
SELECT max(version), min(version) FILTER (WHERE at > %s::timestamptz) FROM sagas_event WHERE stream = %s
"""


@dataclass(frozen=True, slots=True)
class LineThen:
    """A line as it was ordered, and how many of its pieces had been given back by then."""

    position: int
    sku: str
    name: str
    kind: str
    quantity: int
    unit_price_minor: int
    tax_minor: int
    discount_minor: int
    total_minor: int
    cancelled_quantity: int
    returned_quantity: int
    refunded_quantity: int
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class OrderThen:
    """An order as it stood after one of its events. `at` is that event's time; `newest` the version of now."""

    order: Order
    lines: Sequence[LineThen]
    at: datetime
    newest: int

    @property
    def version(self) -> int:
        """The version it stood at."""
        return self.order.version

    def row(self) -> models.Order:
        """What its row was then. Not to be saved."""
        return models.Order(**self.order.snapshot())


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Events of one order, oldest first. `after` asks for the next page; None when this was the last."""

    events: Sequence[Recorded]
    after: int | None


def at_version(order_id: UUID, version: int) -> OrderThen | None:
    """The order as it stood at a version; None if it has not come so far, or does not exist."""
    newest = newest_version(order_id)
    return _then(order_id, version, newest) if 1 <= version <= newest else None


def at_moment(order_id: UUID, moment: datetime) -> OrderThen | None:
    """The order as it stood at a moment; None if it did not exist yet.

    What was noted later is left out, and so is what follows it in the stream, should clocks have disagreed.
    """
    newest, first_after = _bounds(order_id, moment)
    version = newest if first_after is None else first_after - 1
    return _then(order_id, version, newest) if version else None


def rebuild(order_id: UUID, *, upto: int = log.NEWEST) -> Order | None:
    """The order from its events up to a version: the newest snapshot that can be used, and what came after it.

    None if there is no such order. Raises BrokenStream when the log has not what it should.
    """
    found = _rebuild(order_id, upto)
    return found[0] if found else None


def events_of(order_id: UUID, *, after: int = 0, limit: int = 50) -> HistoryPage:
    """One page of what happened to an order, after a version. `limit` is cut to 1..200."""
    size = max(1, min(limit, LARGEST_PAGE))
    found = log.read(order_id, after, limit=size + 1)
    page = found[:size]
    return HistoryPage(page, page[-1].version if len(found) > size else None)


def newest_version(order_id: UUID) -> int:
    """How many events an order has; 0 if there is no such order."""
    return _bounds(order_id, None)[0]


def exists(order_id: UUID, *, shop_id: UUID) -> bool:
    """Whether a shop has that order."""
    return models.Order.objects.filter(pk=order_id, shop_id=shop_id).exists()


def _bounds(order_id: UUID, moment: datetime | None) -> tuple[int, int | None]:
    newest, first_after = rows(BOUNDS, [moment, order_id])[0]
    return newest or 0, first_after


def _rebuild(order_id: UUID, upto: int) -> tuple[Order, datetime] | None:
    kept = snapshots.newest(order_id, upto=upto)
    events = log.read(order_id, kept.order.version if kept else 0, upto=upto)
    if events:
        return Order.from_events(events, base=kept.order if kept else None), events[-1].at
    return (kept.order, kept.at) if kept else None


def _then(order_id: UUID, version: int, newest: int) -> OrderThen | None:
    found = _rebuild(order_id, version)
    if found is None:
        return None
    order, at = found
    return OrderThen(order, _lines(order), at, newest)


def _lines(order: Order) -> list[LineThen]:
    placed: Any = log.read(order.id, upto=1)[0].event
    return [_line(item, order) for item in placed.lines]


def _line(item: dict[str, Any], order: Order) -> LineThen:
    counted = order.lines[item["position"]]
    ordered = {name: item[name] for name in PLACED}
    return LineThen(
        **ordered,
        cancelled_quantity=counted.cancelled,
        returned_quantity=counted.returned,
        refunded_quantity=counted.refunded,
        refunded_minor=counted.refunded_minor,
    )
