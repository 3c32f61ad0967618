"""What shipping and stock report about an order after it was confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from orders import repository
from orders.aggregate import Order
from orders.states import State
from sagas.sql import execute, rows

#: From where a parcel can still move its order. Elsewhere the news is late or doubled and changes nothing.
MOVABLE = (State.CONFIRMED, State.CANCELLING, State.PROCESSING)

# News may come twice and in any order, so a parcel only ever gains facts.
NOTE = """
INSERT INTO orders_parcel AS p (id, order_id, handed_over, delivered, gone)
SELECT u.* FROM unnest(%s::uuid[], %s::uuid[], %s::boolean[], %s::boolean[], %s::boolean[])
    AS u (id, order_id, handed_over, delivered, gone)
 ORDER BY u.id
ON CONFLICT (id) DO UPDATE
   SET handed_over = p.handed_over OR excluded.handed_over, delivered = p.delivered OR excluded.delivered,
       gone = p.gone OR excluded.gone
 WHERE (excluded.handed_over AND NOT p.handed_over) OR (excluded.delivered AND NOT p.delivered)
    OR (excluded.gone AND NOT p.gone)
"""

# An order in parcels has arrived when each of its parcels has, and they hold every piece that was not cancelled.
UNFINISHED = """
SELECT o.id FROM orders_order o
 CROSS JOIN LATERAL (SELECT sum(quantity - cancelled_quantity) AS pieces FROM orders_orderline
                      WHERE order_id = o.id) AS l
 CROSS JOIN LATERAL (SELECT coalesce(sum(pieces), 0) AS pieces, count(*) AS parcels FROM orders_fulfilmentorder
                      WHERE order_id = o.id AND state = 'ready') AS f
 CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE delivered) AS delivered FROM orders_parcel
                      WHERE order_id = o.id) AS d
 WHERE o.id = ANY(%s::uuid[]) AND (f.pieces < l.pieces OR d.delivered < f.parcels)
"""

SUM_UP = """
SELECT order_id, bool_or(handed_over OR delivered), bool_or(delivered) AND bool_and(delivered OR gone)
  FROM orders_parcel WHERE order_id = ANY(%s::uuid[]) GROUP BY order_id
"""


@dataclass(slots=True)
class ParcelNews:
    """What is known of one parcel so far. `gone`: it was cancelled and will never be sent."""

    shipment_id: UUID
    order_id: UUID
    handed_over: bool = False
    delivered: bool = False
    gone: bool = False

    @property
    def moves_order(self) -> bool:
        """Whether the order has to be looked at. A label that was only bought changes nothing."""
        return self.handed_over or self.delivered or self.gone


def note_parcels(news: Sequence[ParcelNews], *, now: datetime) -> None:
    """Write down what happened to parcels, one entry each, and move their orders on. Safe to repeat.

    The first parcel handed over makes an order processing, the last one delivered completes it, in whatever
    order the news comes. Publishes OrderProcessing and OrderCompleted.
    """
    columns = ("shipment_id", "order_id", "handed_over", "delivered", "gone")
    execute(NOTE, [[getattr(item, name) for item in news] for name in columns])
    touched = {item.order_id for item in news if item.moves_order}
    if touched:
        move_on(touched, now=now)


def flag_orders(reasons: Mapping[UUID, str], *, on_hold: bool, now: datetime) -> None:
    """Call a person to orders, by id. Rejected and cancelled ones are left alone. Safe to repeat."""
    orders = repository.load(reasons) if reasons else {}
    for order in orders.values():
        if order.state not in (State.REJECTED, State.CANCELLED):
            owner = "operations" if on_hold else ""
            order.need_attention(reasons[order.id], on_hold=on_hold, owner=owner, now=now)
    repository.save(orders.values(), now=now)


def move_on(order_ids: Iterable[UUID], *, now: datetime) -> None:
    """Move orders to where their parcels are. Safe to repeat. Publishes OrderProcessing and OrderCompleted."""
    orders = repository.load(order_ids)
    sums = {order_id: (left, arrived) for order_id, left, arrived in rows(SUM_UP, [list(orders)])}
    unfinished = _unfinished([order.id for order in orders.values() if order.in_parcels])
    for order_id, (left, arrived) in sums.items():
        _move(orders[order_id], left=left, arrived=arrived and order_id not in unfinished, now=now)
    repository.save(orders.values(), now=now)


def _unfinished(order_ids: Sequence[UUID]) -> set[UUID]:
    return {order_id for (order_id,) in rows(UNFINISHED, [order_ids])} if order_ids else set()


def _move(order: Order, *, left: bool, arrived: bool, now: datetime) -> None:
    if order.state not in MOVABLE:
        return
    if arrived:
        order.complete(now=now)
    elif left and order.state is not State.PROCESSING:
        order.start_processing(now=now)
