"""Every write of inventory. Each takes a batch, in a number of statements that does not grow with it.

Lock order in all of them: reservations by id, then stock by location and SKU, then new rows.
"""

from __future__ import annotations

from inventory.commands.allocate import allocate_stock, fill_shorts
from inventory.commands.consume import ShipGoods, ShippedMoreThanHeld, consume_stock
from inventory.commands.extend import extend_holds
from inventory.commands.movements import (
    BelowPromised,
    MoveStock,
    ensure_locations,
    movement_key,
    record_movements,
    set_location,
)
from inventory.commands.release import (
    ReleaseReservation,
    WithdrawAllocation,
    expire_holds,
    release_reservations,
    withdraw_allocations,
)
from inventory.commands.reserve import AlreadyReleased, HoldExpired, OutOfStock, ReserveStock, reserve_stock
from inventory.commands.restock import RestockGoods, restock_goods

__all__ = [
    "AlreadyReleased",
    "BelowPromised",
    "HoldExpired",
    "MoveStock",
    "OutOfStock",
    "ReleaseReservation",
    "ReserveStock",
    "RestockGoods",
    "ShipGoods",
    "ShippedMoreThanHeld",
    "WithdrawAllocation",
    "allocate_stock",
    "consume_stock",
    "ensure_locations",
    "expire_holds",
    "extend_holds",
    "fill_shorts",
    "movement_key",
    "record_movements",
    "release_reservations",
    "reserve_stock",
    "restock_goods",
    "set_location",
    "withdraw_allocations",
]
