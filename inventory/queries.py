"""Every read of inventory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from inventory.models import Movement
from sagas.sql import rows

LOCATION_IDS = """
SELECT l.shop_id, l.code, l.id
  FROM inventory_location l JOIN unnest(%s::uuid[], %s::text[]) AS w (shop_id, code) USING (shop_id, code)
"""

STOCK_PAGE = """
SELECT l.code, s.sku, s.on_hand, s.held, s.allocated, s.unavailable
  FROM inventory_location l JOIN inventory_stock s ON s.location_id = l.id
 WHERE l.shop_id = %(shop)s AND (l.code, s.sku) > (%(code)s, %(sku)s)
   AND (%(skus)s::text[] IS NULL OR s.sku = ANY(%(skus)s::text[]))
   AND (%(location)s::text IS NULL OR l.code = %(location)s::text)
 ORDER BY l.code, s.sku LIMIT %(limit)s
"""


@dataclass(frozen=True)
class StockLevel:
    """What a shop has of one SKU at one location."""

    location: str
    sku: str
    on_hand: int
    held: int
    allocated: int
    unavailable: int

    @property
    def available(self) -> int:
        """What can still be promised."""
        return self.on_hand - self.held - self.allocated - self.unavailable


def location_ids(places: Iterable[tuple[UUID, str]]) -> dict[tuple[UUID, str], UUID]:
    """The ids of (shop, code) locations. One that does not exist is not in the answer."""
    wanted = list(set(places))
    found = rows(LOCATION_IDS, [[shop for shop, _ in wanted], [code for _, code in wanted]])
    return {(shop, code): id_ for shop, code, id_ in found}


def stock_levels(
    shop_id: UUID,
    *,
    skus: Sequence[str] | None = None,
    location: str | None = None,
    after: tuple[str, str] = ("", ""),
    limit: int = 100,
) -> list[StockLevel]:
    """A page of a shop's stock by (location, SKU), after `after`. A page costs the same at any depth."""
    wanted = None if skus is None else list(skus)
    place = {"shop": shop_id, "code": after[0], "sku": after[1], "limit": limit}
    return [StockLevel(*row) for row in rows(STOCK_PAGE, {**place, "location": location, "skus": wanted})]


def movements_of(shop_id: UUID, location: str, sku: str, *, limit: int = 100) -> list[Movement]:
    """The last movements of one SKU at one location, newest first."""
    found = Movement.objects.filter(location__shop_id=shop_id, location__code=location, sku=sku)
    return list(found.order_by("-id")[:limit])
