"""Hold goods for many orders at once: all that an order asks for, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from inventory import contract
from inventory.commands.columns import COLUMN, packed
from inventory.commands.shelf import Shelf, lock_everywhere
from inventory.conf import hold_for
from inventory.contract import StockRefused, StockReserved
from inventory.models import Reservation
from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.sql import execute, rows
from sagas.verdicts import Answer, Done, LostRace, Refused

State = Reservation.State
Take = tuple[str, UUID, int]  #: SKU, location, quantity.

Known = tuple[UUID, str, str | None]  #: Reservation, state, and its location if it has but one.

KNOWN = """
SELECT r.key, r.id, r.state,
       (SELECT min(l.location_id::text) FROM inventory_reservationline l
         WHERE l.reservation_id = r.id HAVING count(DISTINCT l.location_id) = 1)
  FROM inventory_reservation r WHERE r.key = ANY(%s::uuid[])
"""

INSERT_RESERVATIONS = """
INSERT INTO inventory_reservation
       (id, key, shop_id, order_id, state, expires_at, applied, version, made_at, moved_at)
SELECT u.id, u.key, u.shop_id, u.order_id, 'held', %s, '{}', 1, %s, %s
  FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[]) AS u (id, key, shop_id, order_id)
ON CONFLICT (key) DO NOTHING
"""
INSERT_LINES = f"""
INSERT INTO inventory_reservationline (reservation_id, sku, location_id, quantity, withdrawn, consumed)
SELECT u.*, 0, 0 FROM unnest({COLUMN}::uuid[], {COLUMN}, {COLUMN}::uuid[], {COLUMN}::bigint[]) AS u
"""  # noqa: S608 - constants


class OutOfStock(Refused):
    """Not everything can be had at once. `detail` is the first SKU that is missing."""

    code = contract.OUT_OF_STOCK


class AlreadyReleased(Refused):
    """The release came first. Nothing may be held under this key any more."""

    code = contract.ALREADY_RELEASED


class HoldExpired(Refused):
    """What was held under this key has run out."""

    code = contract.HOLD_EXPIRED


@dataclass(frozen=True)
class ReserveStock:
    """What one order needs, in pieces per SKU, in the order of its lines."""

    key: UUID
    order_id: UUID
    shop_id: UUID
    wanted: Mapping[str, int]


@dataclass(frozen=True)
class Taken:
    """One order that was served, and from where."""

    id: UUID
    request: ReserveStock
    takes: list[Take]


def reserve_stock(requests: Sequence[ReserveStock], *, now: datetime) -> list[Answer]:
    """Hold goods for many orders in a fixed number of statements. Safe to repeat: one hold per key.

    Orders are served in the order given; each gets everything or nothing. An order that needs no goods holds
    nothing and is Done with `reservation_id` None. Publishes StockReserved and StockRefused.
    """
    wanted = {(r.shop_id, sku) for r in requests for sku in r.wanted}
    shelf, locations = lock_everywhere(wanted)
    known: dict[UUID, Known] = {row[0]: row[1:] for row in rows(KNOWN, [[r.key for r in requests]])}
    taken: list[Taken] = []
    refused: list[StockRefused] = []
    answers: list[Answer] = []
    for request in requests:
        if request.key in known:
            answers.append(_answer_for(*known[request.key]))
            continue
        takes = choose(request.wanted, locations.get(request.shop_id, []), shelf)
        if isinstance(takes, str):
            answers.append(OutOfStock(detail=takes))
            refused.append(_refusal(request, takes))
            continue
        for sku, location, quantity in takes:
            shelf[location, sku].shift(held=quantity)
        answers.append(_serve(request, takes, taken, known))
    shelf.save()
    _store(taken, refused, now=now)
    return answers


def choose(wanted: Mapping[str, int], locations: Sequence[UUID], shelf: Shelf) -> list[Take] | str:
    """Where an order's goods come from, or the first SKU that is missing.

    The first location that has everything serves it all. Only if none has it is split, best first.
    """
    for location in locations:
        if all(shelf.available((location, sku)) >= quantity for sku, quantity in wanted.items()):
            return [(sku, location, quantity) for sku, quantity in wanted.items()]
    takes: list[Take] = []
    for sku, quantity in wanted.items():
        left = quantity
        for location in locations:
            if part := min(left, max(shelf.available((location, sku)), 0)):
                takes.append((sku, location, part))
                left -= part
        if left:
            return sku
    return takes


def _serve(request: ReserveStock, takes: list[Take], taken: list[Taken], known: dict[UUID, Known]) -> Answer:
    if not takes:
        return Done({"reservation_id": None, "location_id": None})
    served = Taken(uuid7(), request, takes)
    taken.append(served)
    places = {str(location) for _, location, _ in takes}
    known[request.key] = (served.id, State.HELD, places.pop() if len(places) == 1 else None)
    return _answer_for(*known[request.key])


def _answer_for(reservation_id: UUID, state: str, location_id: str | None) -> Answer:
    match state:
        case State.RELEASED:
            return AlreadyReleased()
        case State.EXPIRED | State.SHORT:
            return HoldExpired()
        case _:
            return Done({"reservation_id": str(reservation_id), "location_id": location_id})


def _refusal(request: ReserveStock, sku: str) -> StockRefused:
    return StockRefused(order_id=request.order_id, shop_id=request.shop_id, code=OutOfStock.code, sku=sku)


def _store(taken: Sequence[Taken], refused: Sequence[StockRefused], *, now: datetime) -> None:
    expires_at = now + hold_for()
    if taken:
        columns = [
            [t.id for t in taken],
            [t.request.key for t in taken],
            [t.request.shop_id for t in taken],
            [t.request.order_id for t in taken],
        ]
        if execute(INSERT_RESERVATIONS, [expires_at, now, now, *columns]) != len(taken):
            raise LostRace(detail="another worker reserved or released under the same key")
        _store_lines(taken)
    made = [Append(t.id, 1, _event(t, expires_at)) for t in taken]
    publish([*made, *(Append(uuid7(), 1, event) for event in refused)], now=now)


def _store_lines(taken: Sequence[Taken]) -> None:
    lines = [(t.id, *take) for t in taken for take in t.takes]
    execute(INSERT_LINES, [packed(column) for column in zip(*lines, strict=True)])


def _event(served: Taken, expires_at: datetime) -> StockReserved:
    return StockReserved(
        reservation_id=served.id,
        order_id=served.request.order_id,
        shop_id=served.request.shop_id,
        expires_at=expires_at,
        lines=[{"sku": s, "quantity": q, "location_id": location} for s, location, q in served.takes],
    )
