"""Bind held goods to confirmed orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from inventory.commands.reservations import COLUMNS, LockedReservation, load, lock_by_order, save_all
from inventory.commands.shelf import Shelf, lock_spots
from inventory.contract import StockAllocated, StockShort
from inventory.models import Reservation
from sagas.log import Append, publish

State = Reservation.State

# Oldest promise first, and only those that can be kept: one big order must not hide the ones behind it.
LOCK_FILLABLE = f"""
SELECT {COLUMNS} FROM inventory_reservation r
 WHERE r.state = 'short'
   AND NOT EXISTS (
       SELECT FROM inventory_reservationline l
         LEFT JOIN inventory_stock s ON s.location_id = l.location_id AND s.sku = l.sku
        WHERE l.reservation_id = r.id
          AND l.quantity - l.withdrawn - l.consumed
              > coalesce(s.on_hand - s.held - s.allocated - s.unavailable, 0))
 ORDER BY r.id LIMIT %s FOR NO KEY UPDATE
"""  # noqa: S608 - constants


def allocate_stock(order_ids: Sequence[UUID], *, now: datetime) -> None:
    """Bind the goods of confirmed orders: they expire no more. Safe to repeat, also after they have shipped.

    A hold that ran out meanwhile is taken anew if the goods are still there; if not, the reservation is short
    and nothing of the order may ship. Publishes StockAllocated and StockShort.
    """
    found = lock_by_order(order_ids)
    _allocate([found[order] for order in dict.fromkeys(order_ids) if order in found], now=now)


def fill_shorts(*, now: datetime, limit: int = 200) -> int:
    """Give confirmed orders that lost their goods what has come in, oldest first; how many were served."""
    short = load(LOCK_FILLABLE, [limit])
    _allocate(short, now=now)
    return sum(held.state == State.ALLOCATED for held in short)


def _allocate(going: Iterable[LockedReservation], *, now: datetime) -> None:
    waiting = [held for held in going if held.state in (State.HELD, State.EXPIRED, State.SHORT)]
    shelf = lock_spots(spot for held in waiting for spot in held.spots)
    events = [event for held in waiting for event in _bind(held, shelf)]
    shelf.save()
    save_all(waiting, at=now)
    publish(events, now=now)


def _bind(held: LockedReservation, shelf: Shelf) -> Iterable[Append]:
    again = held.state != State.HELD
    missing = _missing(held, shelf) if again else None
    if missing is None:
        yield _allocated(held, shelf, again=again)
    elif held.state != State.SHORT:
        held.go(State.SHORT)
        event = StockShort(reservation_id=held.id, order_id=held.order_id, shop_id=held.shop_id, sku=missing)
        yield Append(held.id, held.act(), event)


def _allocated(held: LockedReservation, shelf: Shelf, *, again: bool) -> Append:
    for line in held.lines:
        held.let_go(line, line.open, shelf)
        shelf[line.spot].shift(allocated=line.open)
    held.go(State.ALLOCATED)
    event = StockAllocated(reservation_id=held.id, order_id=held.order_id, shop_id=held.shop_id, again=again)
    return Append(held.id, held.act(), event)


def _missing(held: LockedReservation, shelf: Shelf) -> str | None:
    for line in held.lines:
        if shelf.available(line.spot) < line.open:
            return line.sku
    return None
