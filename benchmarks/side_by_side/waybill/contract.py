"""What the shop promises: names of steps, and the facts it publishes."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sagas.events import Event, register_event

SELL = "shop.sell"

AUTHORIZE = "shop.authorize"
VOID = "shop.void"
RESERVE = "shop.reserve"
RELEASE = "shop.release"
BOOK = "shop.book"
CANCEL = "shop.cancel"
CONFIRM = "shop.confirm"


@register_event("shop.Sold")
@dataclass(frozen=True, kw_only=True)
class Sold(Event):
    """An order came in."""

    order_id: UUID
    total_minor: int
    lines: tuple[dict[str, object], ...]


@dataclass(frozen=True, kw_only=True)
class OrderFact(Event):
    """Base of what happens to an order after that."""

    order_id: UUID


@register_event("shop.Authorized")
@dataclass(frozen=True, kw_only=True)
class Authorized(OrderFact):
    """Its money is held."""

    amount_minor: int


@register_event("shop.Voided")
@dataclass(frozen=True, kw_only=True)
class Voided(OrderFact):
    """Its money was let go, and it is rejected."""


@register_event("shop.Reserved")
@dataclass(frozen=True, kw_only=True)
class Reserved(OrderFact):
    """Its goods are held."""


@register_event("shop.Released")
@dataclass(frozen=True, kw_only=True)
class Released(OrderFact):
    """Its goods were given back."""


@register_event("shop.Booked")
@dataclass(frozen=True, kw_only=True)
class Booked(OrderFact):
    """A parcel was asked for."""


@register_event("shop.Cancelled")
@dataclass(frozen=True, kw_only=True)
class Cancelled(OrderFact):
    """It needs no parcel any more."""


@register_event("shop.Confirmed")
@dataclass(frozen=True, kw_only=True)
class Confirmed(OrderFact):
    """It ended well."""
