"""Stock rows taken in hand: locked in one order, changed in memory, written back in one statement.

Every command of inventory touches counters through here. Rows are locked by location and SKU, so that two
batches over the same goods wait for each other and never deadlock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from inventory.commands.columns import COLUMN, packed
from sagas.sql import execute, rows

Spot = tuple[UUID, str]  #: A location and a SKU: one stock row.

COLUMNS = "s.location_id, s.sku, s.id, s.on_hand, s.held, s.allocated, s.unavailable"

LOCK_SPOTS = f"""
SELECT {COLUMNS}
  FROM unnest({COLUMN}::uuid[], {COLUMN}) AS w (location_id, sku)
  JOIN inventory_stock s ON s.location_id = w.location_id AND s.sku = w.sku
 ORDER BY s.location_id, s.sku
   FOR NO KEY UPDATE OF s
"""  # noqa: S608 - constants

LOCK_EVERYWHERE = f"""
SELECT {COLUMNS}, l.shop_id, l.priority, l.code
  FROM unnest({COLUMN}::uuid[], {COLUMN}) AS w (shop_id, sku)
  JOIN inventory_location l ON l.shop_id = w.shop_id
  JOIN inventory_stock s ON s.location_id = l.id AND s.sku = w.sku
 ORDER BY s.location_id, s.sku
   FOR NO KEY UPDATE OF s
"""  # noqa: S608 - constants

WRITE = f"""
UPDATE inventory_stock s
   SET on_hand = s.on_hand + d.on_hand, held = s.held + d.held, allocated = s.allocated + d.allocated
  FROM unnest({COLUMN}::bigint[], {COLUMN}::bigint[], {COLUMN}::bigint[], {COLUMN}::bigint[])
       AS d (id, on_hand, held, allocated)
 WHERE s.id = d.id
"""  # noqa: S608 - constants


@dataclass(slots=True)
class StockRow:
    """One locked row, with what has been changed since it was read."""

    id: int
    on_hand: int
    held: int
    allocated: int
    unavailable: int
    moved: int = 0
    holding: int = 0
    allocating: int = 0

    @property
    def available(self) -> int:
        """What can be promised now, all changes included."""
        return self.on_hand - self.held - self.allocated - self.unavailable

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.moved or self.holding or self.allocating)

    def shift(self, *, on_hand: int = 0, held: int = 0, allocated: int = 0) -> None:
        """Change the counters in memory."""
        self.on_hand, self.moved = self.on_hand + on_hand, self.moved + on_hand
        self.held, self.holding = self.held + held, self.holding + held
        self.allocated, self.allocating = self.allocated + allocated, self.allocating + allocated


class Shelf:
    """The stock rows of one batch. A spot without a row has nothing."""

    def __init__(self, found: Iterable[tuple[Any, ...]]) -> None:
        self.rows: dict[Spot, StockRow] = {(row[0], row[1]): StockRow(*row[2:7]) for row in found}

    def __getitem__(self, spot: Spot) -> StockRow:
        return self.rows[spot]

    def available(self, spot: Spot) -> int:
        """What can be promised at a spot."""
        row = self.rows.get(spot)
        return row.available if row else 0

    def save(self) -> None:
        """Write what changed, in one statement. The database refuses any counter that would go wrong."""
        changed = [row for row in self.rows.values() if row.changed]
        if changed:
            execute(
                WRITE,
                [
                    packed(row.id for row in changed),
                    packed(row.moved for row in changed),
                    packed(row.holding for row in changed),
                    packed(row.allocating for row in changed),
                ],
            )


def lock_spots(spots: Iterable[Spot]) -> Shelf:
    """Lock the stock rows of `spots` until the transaction ends."""
    wanted = set(spots)
    if not wanted:
        return Shelf(())
    return Shelf(
        rows(LOCK_SPOTS, [packed(location for location, _ in wanted), packed(sku for _, sku in wanted)])
    )


def lock_everywhere(wanted: Iterable[tuple[UUID, str]]) -> tuple[Shelf, dict[UUID, list[UUID]]]:
    """Lock (shop, SKU) at every location of the shop; the shelf, and each shop's locations, best first."""
    pairs = set(wanted)
    if not pairs:
        return Shelf(()), {}
    found = rows(LOCK_EVERYWHERE, [packed(shop for shop, _ in pairs), packed(sku for _, sku in pairs)])
    return Shelf(found), _by_priority(found)


def _by_priority(found: Iterable[tuple[Any, ...]]) -> dict[UUID, list[UUID]]:
    ranked = sorted({(shop, priority, code, location) for location, *_, shop, priority, code in found})
    locations: dict[UUID, list[UUID]] = {}
    for shop, _, _, location in ranked:
        locations.setdefault(shop, []).append(location)
    return locations
