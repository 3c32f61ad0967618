"""Give parcels back before they leave: void the label, or take some goods out and keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.verdicts import Answer, Done, Refused
from shipping import contract
from shipping.commands.book import BookParcel, Parcel, insert, parcel_of
from shipping.commands.parcels import Line, LockedShipment, lock_parts, save_all
from shipping.contract import ShipmentCancelled, ShipmentHandedOver, ShipmentWithdrawn
from shipping.models import LEFT, Shipment

State = Shipment.State
GONE = LEFT


class AlreadyHandedOver(Refused):
    """The carrier has the parcel. What comes back now is a return. `detail` may name the label."""

    code = contract.ALREADY_HANDED_OVER


@dataclass(frozen=True)
class CancelParcel:
    """Give back what was booked under `key`, whether or not anybody heard that it was."""

    key: UUID
    order_id: UUID
    shop_id: UUID
    reference: str
    reason: str = ""
    part_id: UUID | None = None

    @property
    def part(self) -> UUID:
        """What of its order it is."""
        return self.part_id or self.order_id


@dataclass(frozen=True)
class WithdrawParcel:
    """Do not send some pieces (per SKU) of an order, or of one part of it, or all of it. `key` names the act."""

    key: UUID
    order_id: UUID
    whole: bool
    wanted: Mapping[str, int]
    part_id: UUID | None = None

    @property
    def part(self) -> UUID:
        """What of its order it is."""
        return self.part_id or self.order_id


@dataclass(frozen=True)
class Voided:
    """What was heard about giving one label back."""

    order_id: UUID
    outcome: Answer
    reason: str
    part_id: UUID | None = None


def begin_cancellations(requests: Sequence[CancelParcel], *, now: datetime) -> list[Parcel | Answer]:
    """Keep parcels from the carrier. Safe to repeat, and before the booking: a tombstone then refuses it.
    Publishes ShipmentCancelled for that.

    From here on the carrier decides: whoever is first there, the pick-up or the cancellation, has the parcel.
    """
    found = lock_parts(request.order_id for request in requests)
    missing = {r.part: r for r in requests if r.part not in found}
    _leave_tombstones(list(missing.values()), now)
    answers = [_begin(found[r.part]) if r.part in found else Done() for r in requests]
    save_all(found.values(), at=now)
    return answers


def begin_withdrawals(requests: Sequence[WithdrawParcel], *, now: datetime) -> list[Parcel | Answer]:
    """Take pieces out of parcels; the label is given back only if nothing is left. Safe to repeat per key.

    Publishes ShipmentWithdrawn.
    """
    found = lock_parts(request.order_id for request in requests)
    events: list[Append] = []
    answers = [_withdraw(found[r.part], r, events) if r.part in found else Done() for r in requests]
    save_all(found.values(), at=now)
    publish(events, now=now)
    return answers


def record_voids(heard: Sequence[Voided], *, now: datetime) -> list[Answer]:
    """Store what became of labels that were given back. Safe to repeat.

    A parcel the carrier had already taken is handed over. Publishes ShipmentCancelled and ShipmentHandedOver.
    """
    found = lock_parts(one.order_id for one in heard)
    events = [event for one in heard if (event := _take_in(found[one.part_id or one.order_id], one))]
    save_all(found.values(), at=now)
    publish(events, now=now)
    return [one.outcome for one in heard]


def _leave_tombstones(missing: Sequence[CancelParcel], now: datetime) -> None:
    """A parcel that was never booked is answered too: somebody may be waiting to hear that it is gone."""
    graves = [(uuid7(), request) for request in missing]
    insert([(id_, _tombstone(request), State.VOIDED) for id_, request in graves], now=now, version=1)
    publish([Append(id_, 1, _never_booked(id_, request)) for id_, request in graves], now=now)


def _never_booked(id_: UUID, request: CancelParcel) -> ShipmentCancelled:
    return ShipmentCancelled(
        shipment_id=id_, order_id=request.order_id, shop_id=request.shop_id, reason=request.reason
    )


def _tombstone(request: CancelParcel) -> BookParcel:
    return BookParcel(
        key=request.key,
        order_id=request.order_id,
        shop_id=request.shop_id,
        reference=request.reference,
        country="",
        goods={},
        part_id=request.part_id,
    )


def _begin(shipment: LockedShipment) -> Parcel | Answer:
    if shipment.state in GONE:
        return AlreadyHandedOver(detail=shipment.carrier_id)
    if not shipment.is_live:
        return Done()
    shipment.go(State.VOID_PENDING)
    return parcel_of(shipment)


def _withdraw(shipment: LockedShipment, request: WithdrawParcel, events: list[Append]) -> Parcel | Answer:
    if request.key in shipment.applied:
        return Done()
    if request.whole or shipment.state in (*GONE, State.VOID_PENDING) or not shipment.is_live:
        return _begin(shipment)
    if all(line.open <= request.wanted.get(line.sku, 0) for line in shipment.lines):
        return _begin(shipment)
    shipment.note_withdrawal(request.key)
    taken = [part for line in shipment.lines if (part := _take_out(line, request.wanted.get(line.sku, 0)))]
    events.append(shipment.tell(ShipmentWithdrawn, lines=taken))
    return Done()


def _take_out(line: Line, quantity: int) -> dict[str, object]:
    part = min(line.open, quantity)
    if not part:
        return {}
    line.withdrawn, line.changed = line.withdrawn + part, True
    return {"sku": line.sku, "quantity": part}


def _take_in(shipment: LockedShipment, heard: Voided) -> Append | None:
    if shipment.state != State.VOID_PENDING:
        return None
    match heard.outcome:
        case Done():
            shipment.go(State.VOIDED)
            return shipment.tell(ShipmentCancelled, reason=heard.reason)
        case AlreadyHandedOver():
            shipment.carrier_id = shipment.carrier_id or heard.outcome.detail
            shipment.go(State.HANDED_OVER)
            return shipment.tell(ShipmentHandedOver, lines=shipment.contents())
    return None
