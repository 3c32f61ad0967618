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
        _move_orders(touched, now)


def flag_orders(reasons: Mapping[UUID, str], *, on_hold: bool, now: datetime) -> None:
    """Call a person to orders, by id. Rejected and cancelled ones are left alone. Safe to repeat."""
    orders = repository.load(reasons) if reasons else {}
    for order in orders.values():
        if order.state not in (State.REJECTED, State.CANCELLED):
            owner = "operations" if on_hold else ""
            order.need_attention(reasons[order.id], on_hold=on_hold, owner=owner, now=now)
    repository.save(orders.values(), now=now)


def _move_orders(order_ids: Iterable[UUID], now: datetime) -> None:
    orders = repository.load(order_ids)
    sums = {order_id: (left, arrived) for order_id, left, arrived in rows(SUM_UP, [list(orders)])}
    for order_id, (left, arrived) in sums.items():
        _move(orders[order_id], left=left, arrived=arrived, now=now)
    repository.save(orders.values(), now=now)


def _move(order: Order, *, left: bool, arrived: bool, now: datetime) -> None:
    if order.state not in MOVABLE:
        return
    if arrived:
        order.complete(now=now)
    elif left and order.state is not State.PROCESSING:
        order.start_processing(now=now)
