"""Give goods back: a whole reservation, a part of it, or holds that have run out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from inventory.commands.reservations import (
    COLUMNS,
    LockedReservation,
    load,
    lock_by_key,
    lock_by_order,
    save_all,
)
from inventory.commands.shelf import Shelf, lock_spots
from inventory.contract import StockReleased
from inventory.models import Reservation
from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.sql import rows
from sagas.verdicts import Answer, Done

State = Reservation.State

INSERT_TOMBSTONES = """
INSERT INTO inventory_reservation (id, key, shop_id, order_id, state, applied, version, made_at, moved_at)
SELECT u.*, 'released', '{}', 1, %s, %s FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[]) AS u
ON CONFLICT (key) DO NOTHING
RETURNING id
"""

LOCK_EXPIRED = f"""
SELECT {COLUMNS} FROM inventory_reservation r
 WHERE r.state = 'held' AND r.expires_at <= %s
 ORDER BY r.expires_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""  # noqa: S608 - constants


@dataclass(frozen=True)
class ReleaseReservation:
    """Give back what was reserved under `key`, whether or not anybody heard that it was."""

    key: UUID
    order_id: UUID
    shop_id: UUID
    reason: str = ""


@dataclass(frozen=True)
class WithdrawAllocation:
    """Give back part of what an order was promised, in pieces per SKU, or all of it. `key` names the act."""

    key: UUID
    order_id: UUID
    whole: bool
    wanted: Mapping[str, int]


def release_reservations(requests: Sequence[ReleaseReservation], *, now: datetime) -> list[Answer]:
    """Give whole reservations back. Safe to repeat, and before the reservation: it cannot be made then.

    Goods that have shipped stay shipped. Publishes StockReleased.
    """
    found = lock_by_key(request.key for request in requests)
    going = [(found[r.key], r.reason) for r in requests if r.key in found]
    _release([(held, reason) for held, reason in going if held.state in _RELEASABLE], State.RELEASED, now=now)
    _leave_tombstones([r for r in requests if r.key not in found], now=now)
    return [Done() for _ in requests]


_RELEASABLE = frozenset(state for state, targets in Reservation.MOVES.items() if State.RELEASED in targets)


def expire_holds(*, now: datetime, limit: int = 200) -> int:
    """Let go of up to `limit` holds that ran out by `now`; how many. Never one allocated meanwhile."""
    expired = load(LOCK_EXPIRED, [now, limit])
    _release([(held, "expired") for held in expired], State.EXPIRED, now=now)
    return len(expired)


def withdraw_allocations(requests: Sequence[WithdrawAllocation], *, now: datetime) -> list[Answer]:
    """Give back parts of what orders were promised. Safe to repeat: each key is taken in once.

    More than is left of an order is as much as is left. Publishes StockReleased.
    """
    found = lock_by_order(request.order_id for request in requests)
    going = [(found[r.order_id], r) for r in requests if r.order_id in found]
    going = [(held, request) for held, request in going if held.state in _RELEASABLE]
    shelf = lock_spots(spot for held, _ in going for spot in held.spots)
    events = [e for held, r in going if not held.knows(r.key) for e in _withdraw(held, r, shelf)]
    shelf.save()
    save_all({held.id: held for held, _ in going}.values(), at=now)
    publish(events, now=now)
    return [Done() for _ in requests]


def _release(going: Sequence[tuple[LockedReservation, str]], to: str, *, now: datetime) -> None:
    unique = {held.id: (held, reason) for held, reason in going}.values()
    shelf = lock_spots(spot for held, _ in unique if held.is_open for spot in held.spots)
    events = [_close(held, to, reason, shelf) for held, reason in unique]
    shelf.save()
    save_all((held for held, _ in unique), at=now)
    publish(events, now=now)


def _close(held: LockedReservation, to: str, reason: str, shelf: Shelf, act: UUID | None = None) -> Append:
    lines = held.open_lines() if held.is_open else []
    for line in held.lines:
        held.let_go(line, line.open, shelf)
    held.go(to)
    return _released(held, held.act(act), reason, lines)


def _withdraw(held: LockedReservation, request: WithdrawAllocation, shelf: Shelf) -> Iterable[Append]:
    if held.state not in _RELEASABLE:
        return
    if request.whole:
        yield _close(held, State.RELEASED, "withdrawn", shelf, request.key)
        return
    lines = [data for sku, pieces in request.wanted.items() for data in _take_out(held, sku, pieces, shelf)]
    if not any(line.open for line in held.lines):
        held.go(State.CONSUMED if any(line.consumed for line in held.lines) else State.RELEASED)
    yield _released(held, held.act(request.key), "withdrawn", lines)


def _take_out(held: LockedReservation, sku: str, quantity: int, shelf: Shelf) -> Iterable[dict[str, Any]]:
    for line in held.lines:
        part = min(line.open, quantity) if line.sku == sku else 0
        if part:
            held.let_go(line, part, shelf)
            line.withdrawn, line.changed = line.withdrawn + part, True
            quantity -= part
            yield line.as_data(part)


def _released(held: LockedReservation, version: int, reason: str, lines: list[dict[str, Any]]) -> Append:
    event = StockReleased(
        reservation_id=held.id,
        order_id=held.order_id,
        shop_id=held.shop_id,
        reason=reason,
        whole=not held.is_open,
        lines=lines,
    )
    return Append(held.id, version, event)


def _leave_tombstones(missing: Sequence[ReleaseReservation], *, now: datetime) -> None:
    """A reservation that was never made is answered too: somebody may be waiting to hear that it is gone."""
    if not missing:
        return
    by_id = {uuid7(): request for request in missing}
    columns = [[getattr(r, name) for r in by_id.values()] for name in ("key", "shop_id", "order_id")]
    new = rows(INSERT_TOMBSTONES, [now, now, list(by_id), *columns])
    publish([_never_made(id_, by_id[id_]) for (id_,) in new], now=now)


def _never_made(id_: UUID, request: ReleaseReservation) -> Append:
    event = StockReleased(
        reservation_id=id_,
        order_id=request.order_id,
        shop_id=request.shop_id,
        reason=request.reason,
        whole=True,
        lines=[],
    )
    return Append(id_, 1, event)
