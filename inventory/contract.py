"""Inventory promises: nothing is sold twice; what an order holds is there until it ships or is given back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypedDict
from uuid import UUID

from sagas.events import Event, register_event

RESERVE_STOCK = "inventory.reserve_stock"
RELEASE_RESERVATION = "inventory.release_reservation"
WITHDRAW_ALLOCATION = "inventory.withdraw_allocation"
RESTOCK_GOODS = "inventory.restock_goods"

#: The location a shop has without asking. Made when it is first needed.
DEFAULT_LOCATION = "main"

OUT_OF_STOCK = "inventory.out_of_stock"
ALREADY_RELEASED = "inventory.already_released"
HOLD_EXPIRED = "inventory.hold_expired"
BELOW_PROMISED = "inventory.below_promised"
KEY_REUSED = "inventory.key_reused"
BAD_QUANTITY = "inventory.bad_quantity"
BAD_SKU = "inventory.bad_sku"
BAD_KIND = "inventory.bad_kind"
UNKNOWN_LOCATION = "inventory.unknown_location"


class PlacedPieces(TypedDict):
    """Pieces of one SKU at one location."""

    sku: str
    quantity: int
    location_id: UUID


class MovedPieces(TypedDict):
    """One movement. `quantity` is what the count changed by; `asked`, what it was to change by."""

    key: UUID
    sku: str
    kind: str
    quantity: int
    asked: int
    reason: str


@register_event("inventory.StockReserved", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class StockReserved(Event):
    """Goods are held for an order until `expires_at`. A line is {sku, quantity, location_id}."""

    reservation_id: UUID
    order_id: UUID
    shop_id: UUID
    expires_at: datetime
    lines: list[Annotated[dict[str, Any], PlacedPieces]]


@register_event("inventory.HoldExtended")
@dataclass(frozen=True, kw_only=True)
class HoldExtended(Event):
    """An order waits for somebody longer than was foreseen: its goods are held until `expires_at`."""

    reservation_id: UUID
    order_id: UUID
    shop_id: UUID
    expires_at: datetime


@register_event("inventory.StockRefused", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class StockRefused(Event):
    """An order could not be served in full: nothing is held for it. `sku` is the first that was missing."""

    order_id: UUID
    shop_id: UUID
    code: str
    sku: str


@register_event("inventory.StockReleased", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class StockReleased(Event):
    """`lines` are free for others again. `whole`: the reservation holds nothing any more."""

    reservation_id: UUID
    order_id: UUID
    shop_id: UUID
    reason: str
    whole: bool
    lines: list[Annotated[dict[str, Any], PlacedPieces]]


@register_event("inventory.StockAllocated", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class StockAllocated(Event):
    """The goods are bound to a confirmed order. `again`: they had been let go and were taken anew."""

    reservation_id: UUID
    order_id: UUID
    shop_id: UUID
    again: bool = False


@register_event("inventory.StockShort", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class StockShort(Event):
    """A confirmed order has lost its goods: its hold ran out and `sku` is gone. Nothing of it may ship."""

    reservation_id: UUID
    order_id: UUID
    shop_id: UUID
    sku: str


@register_event("inventory.StockConsumed", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class StockConsumed(Event):
    """Goods have left the house with a shipment. `whole`: nothing of the reservation is left to ship."""

    reservation_id: UUID
    order_id: UUID
    shop_id: UUID
    shipment_id: UUID
    whole: bool
    lines: list[Annotated[dict[str, Any], PlacedPieces]]


@register_event("inventory.StockMoved")
@dataclass(frozen=True, kw_only=True)
class StockMoved(Event):
    """Pieces came, were found or written off. An item is {key, sku, kind, quantity, asked, reason}."""

    batch_id: UUID
    shop_id: UUID
    location_id: UUID
    items: list[Annotated[dict[str, Any], MovedPieces]]


@register_event("inventory.GoodsRestocked", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class GoodsRestocked(Event):
    """Goods that a customer gave back are on the shelf again."""

    restock_id: UUID
    order_id: UUID | None
    shop_id: UUID
    location_id: UUID
    items: list[Annotated[dict[str, Any], MovedPieces]]
