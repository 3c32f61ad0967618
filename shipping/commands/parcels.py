"""Shipments taken in hand: locked by id, changed in memory, written back in a fixed number of statements."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sagas.log import Append
from sagas.sql import execute, rows
from sagas.verdicts import IllegalMove
from shipping.contract import ShipmentEvent
from shipping.models import NOT_LIVE, Shipment

State = Shipment.State
ENDED = (State.DELIVERED, State.RETURNED)
#: A parcel of which nothing was heard for so long is asked after.
ASK_AFTER = timedelta(hours=6)

COLUMNS = """
s.id, s.key, s.keys, s.shop_id, s.order_id, s.part_id, s.reference, s.state, s.code, s.carrier_id, s.tracking,
s.progress, s.progress_at, s.ask_at, s.correct_until, s.price_minor, s.surplus, s.applied, s.ready_at,
s.stop_reason, s.stop_version, s.version"""

LOCK_BY_ORDER = f"""
SELECT {COLUMNS} FROM shipping_shipment s WHERE s.order_id = ANY(%s::uuid[]) ORDER BY s.id FOR NO KEY UPDATE
"""  # noqa: S608 - constants
LOCK_BY_ID = f"""
SELECT {COLUMNS} FROM shipping_shipment s WHERE s.id = ANY(%s::uuid[]) ORDER BY s.id FOR NO KEY UPDATE
"""  # noqa: S608 - constants
LINES = """
SELECT shipment_id, sku, quantity, withdrawn
  FROM shipping_shipmentline WHERE shipment_id = ANY(%s::uuid[]) ORDER BY shipment_id, sku
"""
WRITE_LINES = """
UPDATE shipping_shipmentline l SET withdrawn = u.withdrawn
  FROM unnest(%s::uuid[], %s::text[], %s::bigint[]) AS u (shipment_id, sku, withdrawn)
 WHERE l.shipment_id = u.shipment_id AND l.sku = u.sku
"""
WRITE = """
UPDATE shipping_shipment s
   SET state = u.state, code = u.code, carrier_id = u.carrier_id, tracking = u.tracking, price_minor = u.price_minor,
       progress = u.progress, progress_at = u.progress_at, ask_at = u.ask_at, ready_at = u.ready_at,
       stop_reason = u.stop_reason, stop_version = u.stop_version, version = u.version, correct_until = u.correct_until,
       moved_at = CASE WHEN s.state <> u.state THEN %s ELSE s.moved_at END
  FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::timestamptz[],
              %s::timestamptz[], %s::timestamptz[], %s::text[], %s::int[], %s::int[], %s::timestamptz[])
       AS u (id, state, code, carrier_id, tracking, price_minor, progress, progress_at, ask_at, ready_at, stop_reason,
             stop_version, version, correct_until)
 WHERE s.id = u.id
"""
WRITTEN = (
    "id", "state", "code", "carrier_id", "tracking", "price_minor", "progress", "progress_at", "ask_at",
    "ready_at", "stop_reason", "stop_version", "version", "correct_until",
)  # fmt: skip
# What hardly ever changes, and is dear to write.
WRITE_LISTS = """
UPDATE shipping_shipment s
   SET key = u.key, keys = u.keys::uuid[], surplus = ARRAY(SELECT jsonb_array_elements_text(u.surplus)),
       applied = u.applied::uuid[]
  FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::jsonb[], %s::text[]) AS u (id, key, keys, surplus, applied)
 WHERE s.id = u.id
"""


@dataclass(slots=True)
class Line:
    """One line in hand."""

    sku: str
    quantity: int
    withdrawn: int
    changed: bool = False

    @property
    def open(self) -> int:
        """What is to be sent, or was."""
        return self.quantity - self.withdrawn


@dataclass(slots=True)
class LockedShipment:
    """One locked shipment. `save_all` writes it if `changed`, and its key and lists if they have `grown`."""

    id: UUID
    key: UUID
    keys: list[UUID]
    shop_id: UUID
    order_id: UUID
    part_id: UUID | None
    reference: str
    state: str
    code: str
    carrier_id: str
    tracking: str
    progress: str
    progress_at: datetime | None
    ask_at: datetime | None
    correct_until: datetime | None
    price_minor: int
    surplus: list[str]
    applied: list[UUID]
    ready_at: datetime | None
    stop_reason: str
    stop_version: int
    version: int
    lines: list[Line] = field(default_factory=list)
    changed: bool = False
    grown: bool = False

    @property
    def part(self) -> UUID:
        """What of its order it is: the whole, or one of several parcels."""
        return self.part_id or self.order_id

    @property
    def is_live(self) -> bool:
        """Whether there is a parcel, or may be."""
        return self.state not in NOT_LIVE

    @property
    def units(self) -> int:
        """Pieces in it."""
        return sum(line.open for line in self.lines)

    def go(self, to: str) -> None:
        """Change state by the table of moves. Staying is allowed. Raises IllegalMove."""
        if to != self.state and to not in Shipment.MOVES[self.state]:
            raise IllegalMove(detail=f"shipment {self.id}: {self.state} to {to}")
        self.state, self.changed = to, True

    @property
    def ended(self) -> bool:
        """Whether its way has come to an end."""
        return self.state in ENDED

    def end(self, to: str) -> None:
        """Its way has come to an end: nobody asks after it any more. Raises IllegalMove."""
        self.go(to)
        self.ask_at = None

    def reach(self, state: str, progress: str, at: datetime) -> None:
        """It has come so far, by the carrier's clock. Raises IllegalMove."""
        self.go(state)
        self.progress, self.progress_at = progress, at

    def tell(self, event: type[ShipmentEvent], **more: Any) -> Append:
        """The next event of its stream."""
        self.version, self.changed = self.version + 1, True
        ids = {"shipment_id": self.id, "order_id": self.order_id, "shop_id": self.shop_id}
        return Append(self.id, self.version, event(**ids, **more))

    def take_key(self, key: UUID) -> None:
        """Go by another key from now on. The carrier may have been asked under any of them."""
        if self.key != key:
            self.key, self.grown = key, True
            self.keys.append(key)

    def note_surplus(self, label_id: str) -> None:
        """Remember a label that is one too many, once."""
        if label_id != self.carrier_id and label_id not in self.surplus:
            self.surplus.append(label_id)
            self.grown = True

    def note_withdrawal(self, key: UUID) -> None:
        """Remember an act that was taken in."""
        self.applied.append(key)
        self.grown = True

    def contents(self) -> list[dict[str, Any]]:
        """What is in it, as events carry it."""
        return [{"sku": line.sku, "quantity": line.open} for line in self.lines if line.open]


def lock_parts(order_ids: Iterable[UUID]) -> dict[UUID, LockedShipment]:
    """Lock the shipments of these orders that matter, by part: of each the live one, else the last.

    An ordinary order is one part, which goes by the order's own id.
    """
    chosen: dict[UUID, LockedShipment] = {}
    for shipment in _load(LOCK_BY_ORDER, order_ids):
        present = chosen.get(shipment.part)
        if present is None or shipment.is_live or not present.is_live:
            chosen[shipment.part] = shipment
    return chosen


def lock_by_id(ids: Iterable[UUID]) -> dict[UUID, LockedShipment]:
    """Lock shipments."""
    return {shipment.id: shipment for shipment in _load(LOCK_BY_ID, ids)}


def save_all(shipments: Iterable[LockedShipment], *, at: datetime) -> None:
    """Write shipments and lines that changed: two statements at most, a third where lists have grown.

    Whatever has left is asked after in time, unless something is heard.
    """
    unique = {shipment.id: shipment for shipment in shipments}.values()
    for shipment in unique:
        if shipment.state == State.HANDED_OVER and shipment.ask_at is None:
            shipment.ask_at, shipment.changed = at + ASK_AFTER, True
    _save_lines([(s.id, line) for s in unique for line in s.lines if line.changed])
    if changed := [s for s in unique if s.changed]:
        execute(WRITE, [at, *([getattr(s, name) for s in changed] for name in WRITTEN)])
    if grown := [s for s in unique if s.grown]:
        execute(WRITE_LISTS, _lists(grown))


def uuids(values: Sequence[UUID]) -> str:
    """A list of ids as PostgreSQL writes an array, for arrays inside an array."""
    return "{" + ",".join(map(str, values)) + "}"


def _lists(grown: Sequence[LockedShipment]) -> list[list[Any]]:
    return [
        [s.id for s in grown],
        [s.key for s in grown],
        [uuids(s.keys) for s in grown],
        [json.dumps(s.surplus) for s in grown],
        [uuids(s.applied) for s in grown],
    ]


def _load(sql: str, ids: Iterable[UUID]) -> list[LockedShipment]:
    found = [LockedShipment(*row) for row in rows(sql, [list(set(ids))])]
    by_id = {shipment.id: shipment for shipment in found}
    if by_id:
        for shipment_id, *line in rows(LINES, [list(by_id)]):
            by_id[shipment_id].lines.append(Line(*line))
    return found


def _save_lines(changed: Sequence[tuple[UUID, Line]]) -> None:
    if changed:
        columns = [
            [shipment_id for shipment_id, _ in changed],
            [line.sku for _, line in changed],
            [line.withdrawn for _, line in changed],
        ]
        execute(WRITE_LINES, columns)
