"""A warehouse to test with: goods come in, orders want some, and the books can be checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from inventory import commands
from inventory.commands import (
    MoveStock,
    ReleaseReservation,
    ReserveStock,
    ShipGoods,
    WithdrawAllocation,
)
from inventory.models import Movement, Reservation
from inventory.queries import stock_levels
from sagas.events import Event
from sagas.ids import uuid7
from sagas.log import read
from sagas.sql import rows
from sagas.verdicts import Answer
from tests.conftest import Clock

#: I4, recomputed from rows alone: every stock row whose counters are not what lines and movements say.
WRONG_COUNTERS = """
WITH promised AS (
    SELECT l.location_id, l.sku,
           coalesce(sum(l.quantity - l.withdrawn - l.consumed)
                    FILTER (WHERE r.state = 'held'), 0) AS held,
           coalesce(sum(l.quantity - l.withdrawn - l.consumed)
                    FILTER (WHERE r.state = 'allocated'), 0) AS allocated
      FROM inventory_reservationline l JOIN inventory_reservation r ON r.id = l.reservation_id
     GROUP BY 1, 2),
moved AS (SELECT location_id, sku, sum(quantity) AS on_hand FROM inventory_movement GROUP BY 1, 2)
SELECT s.sku, s.on_hand, m.on_hand, s.held, p.held, s.allocated, p.allocated
  FROM inventory_stock s
  LEFT JOIN promised p USING (location_id, sku)
  LEFT JOIN moved m USING (location_id, sku)
 WHERE s.on_hand <> coalesce(m.on_hand, 0) OR s.held <> coalesce(p.held, 0)
    OR s.allocated <> coalesce(p.allocated, 0) OR s.held + s.allocated + s.unavailable > s.on_hand
"""


def wrong_counters() -> list[tuple[Any, ...]]:
    """Stock rows that break I4. An empty list is what every test wants."""
    return rows(WRONG_COUNTERS)


class Warehouse:
    """One shop's goods. Orders and keys go by short names, so that a test reads like what happens."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.shop_id = uuid7()
        self._ids: dict[str, UUID] = {}

    def id(self, name: str) -> UUID:
        """The id that goes by a name."""
        return self._ids.setdefault(name, uuid7())

    def receive(self, location: str = "main", /, **skus: int) -> list[Answer]:
        """Goods come in."""
        commands.ensure_locations([(self.shop_id, location)], now=self.clock.now)
        return commands.record_movements(
            [self.movement(sku, n, location=location) for sku, n in skus.items()], now=self.clock.now
        )

    def movement(self, sku: str, quantity: int, **more: Any) -> MoveStock:
        """A movement of its own key unless one is given."""
        known = {"key": uuid7(), "kind": Movement.Kind.RECEIPT, **more}
        return MoveStock(shop_id=self.shop_id, sku=sku, quantity=quantity, **known)

    def request(self, order: str, /, **wanted: int) -> ReserveStock:
        """What an order asks for. Its key goes by `<order>/reserve`."""
        return ReserveStock(
            key=self.id(f"{order}/reserve"), order_id=self.id(order), shop_id=self.shop_id, wanted=wanted
        )

    def reserve(self, order: str, /, **wanted: int) -> Answer:
        """One order reserves."""
        return commands.reserve_stock([self.request(order, **wanted)], now=self.clock.now)[0]

    def release(self, order: str) -> Answer:
        """One order's reservation is given back."""
        request = ReleaseReservation(self.id(f"{order}/reserve"), self.id(order), self.shop_id, "declined")
        return commands.release_reservations([request], now=self.clock.now)[0]

    def allocate(self, *orders: str) -> None:
        """Orders are confirmed."""
        commands.allocate_stock([self.id(order) for order in orders], now=self.clock.now)

    def ship(self, order: str, parcel: str, /, **shipped: int) -> None:
        """A parcel leaves."""
        commands.consume_stock([ShipGoods(self.id(parcel), self.id(order), shipped)], now=self.clock.now)

    def withdraw(
        self, order: str, act: str, wanted: Mapping[str, int] | None = None, *, whole: bool = False
    ) -> Answer:
        """Part of an order is given back."""
        request = WithdrawAllocation(self.id(act), self.id(order), whole, wanted or {})
        return commands.withdraw_allocations([request], now=self.clock.now)[0]

    def counters(self, sku: str, location: str = "main") -> tuple[int, int, int]:
        """on_hand, held, allocated."""
        (level,) = stock_levels(self.shop_id, skus=[sku], location=location)
        return level.on_hand, level.held, level.allocated

    def reservation(self, order: str) -> Reservation:
        """The one reservation of an order."""
        return Reservation.objects.get(order_id=self.id(order))

    def story(self, order: str) -> list[str]:
        """What was published about an order's reservation."""
        return [type(event).__name__ for event in self.events(order)]

    def events(self, order: str) -> list[Event]:
        """The events of an order's reservation."""
        return [recorded.event for recorded in read(self.reservation(order).pk)]
