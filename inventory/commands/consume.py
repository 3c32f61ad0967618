"""Goods that leave the house with a parcel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from inventory.commands.movements import Moved, store_movements
from inventory.commands.reservations import Line, LockedReservation, lock_by_order, save_all
from inventory.commands.shelf import Shelf, lock_spots
from inventory.contract import StockConsumed
from inventory.models import Movement, Reservation
from sagas.log import Append, publish

State = Reservation.State


class ShippedMoreThanHeld(Exception):
    """A parcel left with goods nobody had reserved. A person has to look: the books cannot explain it."""


@dataclass(frozen=True)
class ShipGoods:
    """What one parcel took along, in pieces per SKU."""

    shipment_id: UUID
    order_id: UUID
    shipped: Mapping[str, int]


def consume_stock(parcels: Sequence[ShipGoods], *, now: datetime) -> None:
    """Take shipped goods out of the books. Safe to repeat: each parcel counts once, whatever came before it.

    A parcel may be heard of before its order's confirmation; then the held goods are what left. If they had
    been given back, they are taken from what is free, and `asked` on the movement shows what was not there.
    Publishes StockConsumed. Raises ShippedMoreThanHeld, and does nothing, if an order never had what left.
    """
    found = lock_by_order(parcel.order_id for parcel in parcels)
    going = [(found[p.order_id], p) for p in parcels if p.order_id in found]
    shelf = lock_spots(spot for held, _ in going for spot in held.spots)
    movements: list[Moved] = []
    events: list[Append] = []
    for held, parcel in going:
        if not held.knows(parcel.shipment_id):
            gone = [m for sku, n in parcel.shipped.items() for m in _ship(held, parcel, sku, n, shelf)]
            movements += gone
            events.append(_consumed(held, parcel, gone))
    shelf.save()
    save_all({held.id: held for held, _ in going}.values(), at=now)
    store_movements(movements, now=now)
    publish(events, now=now)


def _ship(held: LockedReservation, parcel: ShipGoods, sku: str, pieces: int, shelf: Shelf) -> Iterable[Moved]:
    for line in held.lines:
        part = min(line.open, pieces) if line.sku == sku else 0
        if part:
            pieces -= part
            line.consumed, line.changed = line.consumed + part, True
            yield _moved(held, parcel, line, part, shelf)
    if pieces:
        raise ShippedMoreThanHeld(f"Parcel {parcel.shipment_id} took {pieces} {sku} more than were reserved.")


def _moved(held: LockedReservation, parcel: ShipGoods, line: Line, part: int, shelf: Shelf) -> Moved:
    left = part if held.is_open else min(part, max(shelf.available(line.spot), 0))
    if left:
        held.let_go(line, left, shelf)
        shelf[line.spot].shift(on_hand=-left)
    return Moved(
        key=uuid5(parcel.shipment_id, f"{line.location_id}|{line.sku}"),
        shop_id=held.shop_id,
        location_id=line.location_id,
        sku=line.sku,
        kind=Movement.Kind.SHIPMENT,
        quantity=-left,
        asked=-part,
        reason="shipped",
        source_id=parcel.shipment_id,
    )


def _consumed(held: LockedReservation, parcel: ShipGoods, lines: Sequence[Moved]) -> Append:
    if not held.is_open or not any(line.open for line in held.lines):
        held.go(State.CONSUMED)
    event = StockConsumed(
        reservation_id=held.id,
        order_id=held.order_id,
        shop_id=held.shop_id,
        shipment_id=parcel.shipment_id,
        whole=held.state == State.CONSUMED,
        lines=[_as_data(moved) for moved in lines],
    )
    return Append(held.id, held.act(parcel.shipment_id), event)


def _as_data(moved: Moved) -> dict[str, Any]:
    return {"sku": moved.sku, "quantity": -moved.asked, "location_id": moved.location_id}
