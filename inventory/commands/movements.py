"""Pieces that come and go: receipts, corrections, stocktakes, returns. Each is a row that never changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from inventory import contract
from inventory.commands.columns import COLUMN, packed
from inventory.commands.shelf import Shelf, Spot, lock_spots
from inventory.contract import StockMoved
from inventory.models import SKU_LENGTH, Movement
from inventory.queries import location_ids
from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.sql import execute, rows
from sagas.verdicts import Answer, Done, LostRace, Refused

Kind = Movement.Kind
ASKABLE = (Kind.RECEIPT, Kind.RETURN, Kind.COUNT, Kind.ADJUSTMENT)
MOST_PIECES = 10**12
REASON_LENGTH = 200

#: Keys of the outside world become movement keys under this namespace. Fixed for ever.
MOVEMENT_KEYS = UUID("6f0d3c0a-54d5-5f0e-9d4b-0a3a6f7b1c22")

INSERT_MISSING_LOCATIONS = """
INSERT INTO inventory_location (id, shop_id, code, priority, made_at)
SELECT u.*, 0, %s FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS u (id, shop_id, code)
 ORDER BY shop_id, code
ON CONFLICT (shop_id, code) DO NOTHING
"""
SET_PRIORITY = "UPDATE inventory_location SET priority = %s WHERE shop_id = %s AND code = %s"

INSERT_MISSING_STOCK = f"""
INSERT INTO inventory_stock (location_id, sku, on_hand, held, allocated, unavailable)
SELECT u.location_id, u.sku, 0, 0, 0, 0 FROM unnest({COLUMN}::uuid[], {COLUMN}) AS u (location_id, sku)
 WHERE NOT EXISTS (SELECT FROM inventory_stock s WHERE s.location_id = u.location_id AND s.sku = u.sku)
 ORDER BY u.location_id, u.sku
ON CONFLICT (location_id, sku) DO NOTHING
"""  # noqa: S608 - constants
KNOWN = """
SELECT key, shop_id, location_id, sku, kind, quantity, asked, reason, source_id
  FROM inventory_movement WHERE key = ANY(%s::uuid[])
"""

INSERT_MOVEMENTS = f"""
INSERT INTO inventory_movement
       (id, key, shop_id, location_id, sku, kind, quantity, asked, reason, source_id, at)
SELECT u.id, u.key, u.shop_id, u.location_id, u.sku, u.kind, u.quantity, u.asked, coalesce(u.reason, ''),
       u.source_id, %s
  FROM unnest({COLUMN}::uuid[], {COLUMN}::uuid[], {COLUMN}::uuid[], {COLUMN}::uuid[], {COLUMN}, {COLUMN},
              {COLUMN}::bigint[], {COLUMN}::bigint[], {COLUMN}, {COLUMN}::uuid[])
       AS u (id, key, shop_id, location_id, sku, kind, quantity, asked, reason, source_id)
ON CONFLICT (key) DO NOTHING
"""  # noqa: S608 - constants


class BelowPromised(Refused):
    """The pieces to be written off are promised to orders. `detail` says how many are free."""

    code = contract.BELOW_PROMISED


@dataclass(frozen=True)
class MoveStock:
    """One movement that somebody asks for. `quantity` is a change, or what was counted when `kind` is count.

    `capped`: where promised goods stand against it, write off what is free instead of refusing.
    """

    key: UUID
    shop_id: UUID
    sku: str
    kind: str
    quantity: int
    location: str = contract.DEFAULT_LOCATION
    reason: str = ""
    source_id: UUID | None = None
    capped: bool = False


@dataclass(frozen=True)
class Moved:
    """One movement that happened, as it is stored."""

    key: UUID
    shop_id: UUID
    location_id: UUID
    sku: str
    kind: str
    quantity: int
    asked: int
    reason: str
    source_id: UUID | None


def movement_key(shop_id: UUID, key: str) -> UUID:
    """The movement key of a shop's own idempotency key."""
    return uuid5(MOVEMENT_KEYS, f"{shop_id}|{key}")


def ensure_locations(places: Iterable[tuple[UUID, str]], *, now: datetime) -> None:
    """Make the (shop, code) locations that do not exist yet. Safe to repeat."""
    wanted = sorted(set(places))
    if wanted:
        columns = [[uuid7() for _ in wanted], [shop for shop, _ in wanted], [code for _, code in wanted]]
        execute(INSERT_MISSING_LOCATIONS, [now, *columns])


def set_location(shop_id: UUID, code: str, *, priority: int, now: datetime) -> None:
    """Make a location, or give one that exists its priority. Safe to repeat."""
    ensure_locations([(shop_id, code)], now=now)
    execute(SET_PRIORITY, [priority, shop_id, code])


def record_movements(moves: Sequence[MoveStock], *, now: datetime) -> list[Answer]:
    """Move stock, with an answer per item: Done with `quantity` and `on_hand`, or Refused. Safe to repeat.

    What would leave less than is promised is refused as `inventory.below_promised`, unless it is `capped`.
    Publishes one StockMoved per location.
    """
    answers, moved = apply_movements(moves, now=now)
    batch_id = uuid7()
    by_place: dict[tuple[UUID, UUID], list[Moved]] = {}
    for item in moved:
        by_place.setdefault((item.shop_id, item.location_id), []).append(item)
    events = [
        StockMoved(batch_id=batch_id, shop_id=shop, location_id=place, items=[as_data(i) for i in items])
        for (shop, place), items in by_place.items()
    ]
    publish([Append(batch_id, version, event) for version, event in enumerate(events, 1)], now=now)
    return answers


def apply_movements(moves: Sequence[MoveStock], *, now: datetime) -> tuple[list[Answer], list[Moved]]:
    """Change the counters and write the movements, in a fixed number of statements; nothing is published."""
    places = _places(moves, now=now)
    spots = [_spot(move, places) for move in moves]
    shelf = _lock_or_make({spot for spot in spots if spot is not None})
    known = {row[0]: Moved(*row) for row in rows(KNOWN, [[move.key for move in moves]])}
    moved: list[Moved] = []
    answers = [_apply(move, spot, shelf, known, moved) for move, spot in zip(moves, spots, strict=True)]
    shelf.save()
    store_movements(moved, now=now)
    return answers, moved


def store_movements(moved: Sequence[Moved], *, now: datetime) -> None:
    """Write movements whose counters this transaction has changed. Raises LostRace if a key exists."""
    if not moved:
        return
    columns = [
        packed(uuid7() for _ in moved),
        packed(m.key for m in moved),
        packed(m.shop_id for m in moved),
        packed(m.location_id for m in moved),
        packed(m.sku for m in moved),
        packed(m.kind for m in moved),
        packed(m.quantity for m in moved),
        packed(m.asked for m in moved),
        packed(m.reason for m in moved),
        packed(m.source_id for m in moved),
    ]
    if execute(INSERT_MOVEMENTS, [now, *columns]) != len(moved):
        raise LostRace(detail="another worker wrote a movement with the same key")


def as_data(moved: Moved) -> dict[str, Any]:
    """A movement as events carry it."""
    return {
        "key": moved.key,
        "sku": moved.sku,
        "kind": moved.kind,
        "quantity": moved.quantity,
        "asked": moved.asked,
        "reason": moved.reason,
    }


def _places(moves: Sequence[MoveStock], *, now: datetime) -> dict[tuple[UUID, str], UUID]:
    wanted = {(move.shop_id, move.location) for move in moves}
    found = location_ids(wanted)
    missing = [place for place in wanted - set(found) if place[1] == contract.DEFAULT_LOCATION]
    if missing:
        ensure_locations(missing, now=now)
        found = location_ids(wanted)
    return found


def _spot(move: MoveStock, places: Mapping[tuple[UUID, str], UUID]) -> Spot | None:
    place = places.get((move.shop_id, move.location))
    return (place, move.sku) if place and not _problem(move) else None


def _lock_or_make(spots: set[Spot]) -> Shelf:
    if spots:
        execute(INSERT_MISSING_STOCK, [packed(place for place, _ in spots), packed(sku for _, sku in spots)])
    return lock_spots(spots)


def _apply(
    move: MoveStock, spot: Spot | None, shelf: Shelf, known: dict[UUID, Moved], moved: list[Moved]
) -> Answer:
    if spot is None:
        return _problem(move) or Refused(contract.UNKNOWN_LOCATION, move.location)
    if move.key in known:
        return _answer_again(move, spot, known[move.key], shelf)
    asked = move.quantity - shelf[spot].on_hand if move.kind == Kind.COUNT else move.quantity
    quantity = max(asked, -shelf.available(spot)) if asked < 0 else asked
    if quantity != asked and not move.capped:
        return BelowPromised(detail=f"{shelf.available(spot)} of {move.sku} are free")
    shelf[spot].shift(on_hand=quantity)
    reason = " ".join(move.reason.split())[:REASON_LENGTH]
    done = Moved(move.key, move.shop_id, *spot, move.kind, quantity, asked, reason, move.source_id)
    known[move.key] = done
    moved.append(done)
    return Done({"quantity": quantity, "on_hand": shelf[spot].on_hand})


def _problem(move: MoveStock) -> Refused | None:
    if not 0 < len(move.sku) <= SKU_LENGTH or not move.sku.isprintable():
        return Refused(contract.BAD_SKU, f"a SKU has 1 to {SKU_LENGTH} printable characters")
    if move.kind not in ASKABLE:
        return Refused(contract.BAD_KIND, f"a {move.kind} cannot be asked for")
    if abs(move.quantity) > MOST_PIECES or (move.quantity < 0 and move.kind != Kind.ADJUSTMENT):
        return Refused(contract.BAD_QUANTITY, f"{move.quantity} is not a possible {move.kind}")
    return None


def _answer_again(move: MoveStock, spot: Spot, before: Moved, shelf: Shelf) -> Answer:
    same = (before.location_id, before.sku) == spot and before.kind == move.kind
    if not same or (move.kind != Kind.COUNT and before.asked != move.quantity):
        return Refused(contract.KEY_REUSED, f"it belongs to {before.kind} {before.asked:+d} {before.sku}")
    return Done({"quantity": before.quantity, "on_hand": shelf[spot].on_hand})
