"""Folding a mixed batch of events into rows: one read, Python, one statement for each table.

What a row says is decided by the last version taken in of each of its streams, and by nothing else: not by the
clock, by other tables, by where batches ended or by how the streams interleave. The feed is in the order of
transactions, so version 2 may come before version 1; what is missing was committed before it, is read from the
log up to that version and no further, and passed over when it comes by itself. See docs/adr.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from inventory import contract as inventory
from orders import contract as orders
from orders.read_side import store
from orders.read_side.appliers import APPLIERS
from orders.read_side.row import CHANGING, Cell, OrderRow, Sums
from payments import contract as payments
from sagas import log
from sagas.events import Event
from sagas.log import Recorded

#: Everything the view is made of. All types of the streams it follows are among them: one left out is a gap.
TYPES: tuple[type[Event], ...] = (*APPLIERS, inventory.StockRefused)


class Part(NamedTuple):
    """What a row keeps of one stream: where its id and version stand, what it starts from, and all it may change."""

    stream: str
    version: str
    blank: dict[str, object]
    columns: frozenset[str]


def _beside(stream: str, version: str, blank: dict[str, object]) -> Part:
    """The part of a stream that is not the order's own."""
    return Part(stream, version, blank, frozenset({stream, version, *blank}))


PAYMENT = _beside(
    "payment_id",
    "payment_version",
    {"payment_state": "", "authorized_minor": 0, "captured_minor": 0, "refunded_minor": 0},
)
STOCK = _beside("reservation_id", "stock_version", {"stock_state": ""})
SHIPMENT = _beside(
    "shipment_id",
    "shipment_version",
    {"shipment_state": "", "tracking": "", "handed_over_at": None, "delivered_at": None},
)
ORDER = Part(
    "order_id", "version", {}, frozenset(CHANGING) - PAYMENT.columns - STOCK.columns - SHIPMENT.columns
)


def _part(kind: type[Event]) -> Part:
    if issubclass(kind, orders.OrderEvent):
        return ORDER
    if issubclass(kind, payments.PaymentEvent):
        return PAYMENT
    return STOCK if kind.__module__ == inventory.__name__ else SHIPMENT


PARTS = {kind: _part(kind) for kind in TYPES}


def fold(events: Sequence[Recorded], *, slot: int) -> None:
    """Take a batch into one slot, in the caller's transaction. Events seen before change nothing."""
    ids = {_order(recorded) for recorded in events}
    known = store.load(ids, slot=slot)
    before = {order_id: row.counted() for order_id, row in known.items()}
    rows = known | {order_id: OrderRow(order_id) for order_id in ids - known.keys()}
    placed = _apply(events, rows)
    for row in rows.values():
        row.progress = row.standing_steps()
    first = (rows.keys() - known.keys()) | {event.order_id for event in placed}
    store.begin([rows[order_id] for order_id in first], slot=slot)
    changed = [row for order_id, row in known.items() if order_id not in first]
    store.change(changed, _columns_of(events), slot=slot)
    store.save_skus(placed, slot=slot)
    store.add_to_summary(_deltas(before, rows), slot=slot)


def _columns_of(events: Sequence[Recorded]) -> set[str]:
    """What these events may change. Most batches are of one or two kinds: that is a third of the row."""
    kinds = {type(recorded.event) for recorded in events}
    return set().union(*(PARTS[kind].columns for kind in kinds))


class Stretch(NamedTuple):
    """New events of one stream, in version order, and the row that they are about."""

    row: OrderRow
    part: Part
    stream: UUID
    events: list[Recorded]


def _apply(events: Sequence[Recorded], rows: dict[UUID, OrderRow]) -> list[orders.OrderPlaced]:
    streams: dict[UUID, list[Recorded]] = {}
    refused = []
    for recorded in events:
        if type(recorded.event) is inventory.StockRefused:
            refused.append(recorded)
        elif recorded.stream in streams:
            streams[recorded.stream].append(recorded)
        else:
            streams[recorded.stream] = [recorded]
    placed: list[orders.OrderPlaced] = []
    for stretch in _without_gaps([_stretch(stream, found, rows) for stream, found in streams.items()]):
        placed += _advance(stretch)
    for recorded in refused:
        _refuse(rows[_order(recorded)])
    return placed


def _stretch(stream: UUID, found: list[Recorded], rows: dict[UUID, OrderRow]) -> Stretch:
    if len(found) > 1:
        found.sort(key=_version)
    return Stretch(rows[_order(found[0])], PARTS[type(found[0].event)], stream, found)


def _without_gaps(stretches: list[Stretch]) -> list[Stretch]:
    """What the batch does not hold is read from the log, for all streams at once."""
    missing: dict[UUID, tuple[int, int]] = {}
    for stretch in stretches:
        last = _last_seen(stretch)
        if last is not None and _has_gap(last, stretch.events):
            missing[stretch.stream] = (last, stretch.events[-1].version)
    if not missing:
        return stretches
    whole = log.read_ranges(missing)
    for stream, (last, upto) in missing.items():
        if len(whole.get(stream, ())) != upto - last:
            raise RuntimeError(f"Stream {stream} has no whole stretch from {last} to {upto}.")
    return [s._replace(events=whole[s.stream]) if s.stream in whole else s for s in stretches]


def _has_gap(last: int, found: list[Recorded]) -> bool:
    if found[0].version > last + 1:
        return True
    return any(b.version > max(a.version, last) + 1 for a, b in pairwise(found))


def _last_seen(stretch: Stretch) -> int | None:
    """How far its stream was taken in. None for one that a younger stream of its kind has replaced."""
    row, part, stream, _ = stretch
    current = getattr(row, part.stream)
    if current == stream:
        return int(getattr(row, part.version))
    return 0 if current is None or stream > current else None


def _advance(stretch: Stretch) -> list[orders.OrderPlaced]:
    """Apply what is new of one stream. Of two streams of a kind the one with the greater id is shown."""
    last = _last_seen(stretch)
    if last is None:
        return []
    row, part, stream, found = stretch
    if getattr(row, part.stream) != stream:
        _begin(row, stream, part)
    placed: list[orders.OrderPlaced] = []
    for recorded in found:
        if recorded.version <= last:
            continue
        last, event = recorded.version, recorded.event
        APPLIERS.get(type(event), _unknown)(row, event, recorded.at)
        if isinstance(event, orders.OrderPlaced):
            placed.append(event)
    setattr(row, part.version, last)
    return placed


def _begin(row: OrderRow, stream: UUID, part: Part) -> None:
    setattr(row, part.stream, stream)
    for name, value in part.blank.items():
        setattr(row, name, value)


def _refuse(row: OrderRow) -> None:
    # A refusal is a stream of its own: it says something only as long as nothing was ever reserved.
    if row.reservation_id is None:
        row.stock_state = "refused"


def _unknown(*_: object) -> None:
    """A type the view does not know, met while filling a gap: a version like any other."""


def _deltas(
    before: Mapping[UUID, tuple[Cell, Sums] | None], rows: dict[UUID, OrderRow]
) -> dict[Cell, list[int]]:
    """By how much each cell of the summary changes: each order leaves the cell it was in and enters its own."""
    deltas: dict[Cell, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for order_id, row in rows.items():
        now, was = row.counted(), before.get(order_id)
        if now == was:
            continue
        for counted, sign in ((was, -1), (now, 1)):
            if counted is not None:
                cell, sums = counted
                delta = deltas[cell]
                for index, amount in enumerate((1, *sums)):
                    delta[index] += sign * amount
    return {cell: delta for cell, delta in deltas.items() if any(delta)}


def _order(recorded: Recorded) -> UUID:
    order_id: UUID = recorded.event.order_id  # type: ignore[attr-defined]  # every type of TYPES has one
    return order_id


def _version(recorded: Recorded) -> int:
    return recorded.version
