"""Reservations taken in hand: locked, changed in memory, written back in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from inventory.commands.columns import COLUMN, packed
from inventory.commands.shelf import Shelf, Spot
from inventory.models import Reservation
from sagas.sql import execute, rows
from sagas.verdicts import IllegalMove

State = Reservation.State

COLUMNS = "r.id, r.key, r.shop_id, r.order_id, r.state, r.applied, r.version"

LOCK_BY_KEY = f"""
SELECT {COLUMNS} FROM inventory_reservation r
 WHERE r.key = ANY(%s::uuid[]) ORDER BY r.id FOR NO KEY UPDATE
"""  # noqa: S608 - constants
LOCK_BY_ORDER = f"""
SELECT {COLUMNS} FROM inventory_reservation r
 WHERE r.order_id = ANY(%s::uuid[]) ORDER BY r.id FOR NO KEY UPDATE
"""  # noqa: S608 - constants
LINES = """
SELECT reservation_id, sku, location_id, quantity, withdrawn, consumed
  FROM inventory_reservationline
 WHERE reservation_id = ANY(%s::uuid[]) ORDER BY reservation_id, sku, location_id
"""
WRITE_LINES = f"""
UPDATE inventory_reservationline l SET withdrawn = u.withdrawn, consumed = u.consumed
  FROM unnest({COLUMN}::uuid[], {COLUMN}, {COLUMN}::uuid[], {COLUMN}::bigint[], {COLUMN}::bigint[])
       AS u (reservation_id, sku, location_id, withdrawn, consumed)
 WHERE l.reservation_id = u.reservation_id AND l.sku = u.sku AND l.location_id = u.location_id
"""  # noqa: S608 - constants
WRITE_RESERVATIONS = """
UPDATE inventory_reservation r
   SET state = u.state, version = u.version, applied = r.applied || u.acts::uuid[], moved_at = %s,
       expires_at = CASE WHEN u.state = 'held' THEN r.expires_at END
  FROM unnest(%s::uuid[], %s::text[], %s::int[], %s::text[]) AS u (id, state, version, acts)
 WHERE r.id = u.id
"""


@dataclass(slots=True)
class Line:
    """One line in hand."""

    sku: str
    location_id: UUID
    quantity: int
    withdrawn: int
    consumed: int
    changed: bool = False

    @property
    def open(self) -> int:
        """What is still to ship or to give back."""
        return self.quantity - self.withdrawn - self.consumed

    @property
    def spot(self) -> Spot:
        """The stock row it is promised from."""
        return self.location_id, self.sku

    def as_data(self, quantity: int) -> dict[str, Any]:
        """The form events carry."""
        return {"sku": self.sku, "quantity": quantity, "location_id": self.location_id}


@dataclass(slots=True)
class LockedReservation:
    """One locked reservation. Changed by its methods only; `save_all` writes what they did."""

    id: UUID
    key: UUID
    shop_id: UUID
    order_id: UUID
    state: str
    applied: list[UUID]
    version: int
    lines: list[Line] = field(default_factory=list)
    acts: list[UUID] = field(default_factory=list)
    changed: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the stock's counters contain its open lines."""
        return self.state in Reservation.OPEN

    @property
    def spots(self) -> list[Spot]:
        """The stock rows of its lines."""
        return [line.spot for line in self.lines]

    def open_lines(self) -> list[dict[str, Any]]:
        """What is left of it, as events carry it."""
        return [line.as_data(line.open) for line in self.lines if line.open]

    def knows(self, act: UUID) -> bool:
        """Whether a shipment or withdrawal was taken in before."""
        return act in self.applied or act in self.acts

    def let_go(self, line: Line, quantity: int, shelf: Shelf) -> None:
        """Take pieces out of the counter that holds them, if any does."""
        if self.state == State.HELD:
            shelf[line.spot].shift(held=-quantity)
        elif self.state == State.ALLOCATED:
            shelf[line.spot].shift(allocated=-quantity)

    def act(self, act: UUID | None = None) -> int:
        """Note one fact, and the act behind it; the version of its event."""
        self.changed, self.version = True, self.version + 1
        if act is not None:
            self.acts.append(act)
        return self.version

    def go(self, to: str) -> None:
        """Change state by the table of moves. Staying is allowed. Raises IllegalMove."""
        if to != self.state and to not in Reservation.MOVES[self.state]:
            raise IllegalMove(detail=f"reservation {self.id}: {self.state} to {to}")
        self.state = to


def lock_by_key(keys: Iterable[UUID]) -> dict[UUID, LockedReservation]:
    """Lock the reservations of these steps, with their lines."""
    return {held.key: held for held in load(LOCK_BY_KEY, [list(set(keys))])}


def lock_by_order(order_ids: Iterable[UUID]) -> dict[UUID, LockedReservation]:
    """Lock the reservation of each order that matters: the open one, else the last with anything in it."""
    chosen: dict[UUID, LockedReservation] = {}
    for held in load(LOCK_BY_ORDER, [list(set(order_ids))]):
        present = chosen.get(held.order_id)
        if present is None or held.is_open or (held.lines and not present.is_open):
            chosen[held.order_id] = held
    return chosen


def load(sql: str, params: Sequence[Any]) -> list[LockedReservation]:
    """Lock the reservations that a statement of COLUMNS selects, and read their lines."""
    found = [LockedReservation(*row) for row in rows(sql, params)]
    by_id = {held.id: held for held in found}
    if by_id:
        for reservation_id, *line in rows(LINES, [list(by_id)]):
            by_id[reservation_id].lines.append(Line(*line))
    return found


def save_all(held: Iterable[LockedReservation], *, at: datetime) -> None:
    """Write lines and reservations that changed: two statements at most."""
    changed = [h for h in held if h.changed]
    _save_lines([(h.id, line) for h in changed for line in h.lines if line.changed])
    if changed:
        acts = ["{" + ",".join(map(str, h.acts)) + "}" for h in changed]
        columns = [[h.id for h in changed], [h.state for h in changed], [h.version for h in changed], acts]
        execute(WRITE_RESERVATIONS, [at, *columns])


def _save_lines(changed: Sequence[tuple[UUID, Line]]) -> None:
    if changed:
        execute(
            WRITE_LINES,
            [
                packed(reservation_id for reservation_id, _ in changed),
                packed(line.sku for _, line in changed),
                packed(line.location_id for _, line in changed),
                packed(line.withdrawn for _, line in changed),
                packed(line.consumed for _, line in changed),
            ],
        )
