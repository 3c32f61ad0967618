"""Parcels that leave the house and arrive."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from sagas.crash import crash_point
from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.verdicts import Answer, Done, Refused, Verdict
from shipping import contract, queries
from shipping.carriers.base import Carrier, Deliverer, MovedResult, MoveParcels
from shipping.commands.parcels import LockedShipment, lock_by_id, save_all
from shipping.contract import ShipmentDelivered, ShipmentHandedOver
from shipping.models import LEFT, Shipment
from shipping.queries import Waiting

State = Shipment.State

#: Parcels in one call of the carrier and one transaction.
BATCH = 500


@dataclass(frozen=True)
class Moved:
    """One bounded batch: how many parcels were asked for, how many are there now, and where to go on."""

    asked: int
    moved: int
    last: UUID | None


def hand_over(shipment_ids: Sequence[UUID], *, now: datetime) -> list[Answer]:
    """The carrier has these parcels. Safe to repeat. A parcel without a live label is refused.

    A label that is just being given back is handed over all the same: the carrier was first.
    Publishes ShipmentHandedOver.
    """
    return _change(shipment_ids, leave, now=now)


def deliver(shipment_ids: Sequence[UUID], *, now: datetime) -> list[Answer]:
    """The customers have these parcels. Safe to repeat. One we never saw leave has left too.

    Publishes ShipmentDelivered, and ShipmentHandedOver where it is news.
    """
    return _change(shipment_ids, arrive, now=now)


def pick_up(
    carrier: Carrier,
    *,
    now: datetime,
    limit: int = BATCH,
    after: UUID | None = None,
    except_orders: Collection[UUID] = (),
) -> Moved:
    """Let the carrier take parcels that may leave, and record what it took. Call outside any transaction.

    Safe to kill and repeat: the carrier names also what it took before. Raises Unavailable or Unknown, when
    the same call may simply be made again.
    """
    waiting = queries.to_hand_over(limit=limit, after=after, except_orders=except_orders)
    return _move(waiting, carrier.pick_up, hand_over, now=now)


def deliver_parcels(
    carrier: Deliverer, *, now: datetime, limit: int = BATCH, after: UUID | None = None
) -> Moved:
    """Let a carrier that can be told to deliver parcels on their way. As `pick_up` in all else."""
    return _move(queries.to_deliver(limit=limit, after=after), carrier.deliver, deliver, now=now)


def _move(
    waiting: Sequence[Waiting],
    ask: Callable[[MoveParcels], MovedResult],
    record: Callable[..., list[Answer]],
    *,
    now: datetime,
) -> Moved:
    if not waiting:
        return Moved(0, 0, None)
    by_label = {parcel.carrier_id: parcel.id for parcel in waiting}
    result = ask(MoveParcels(key=uuid7(), shipment_ids=list(by_label), limit=len(by_label)))
    if isinstance(result, Verdict):
        raise result
    crash_point(f"shipping.{record.__name__}.after_call_before_commit")
    ids = [by_label[parcel.id] for parcel in result if parcel.id in by_label]
    with transaction.atomic():
        record(ids, now=now)
    return Moved(len(waiting), len(ids), waiting[-1].id)


def _change(
    ids: Sequence[UUID], act: Callable[[LockedShipment, list[Append]], Answer], *, now: datetime
) -> list[Answer]:
    found = lock_by_id(ids)
    events: list[Append] = []
    answers = [act(found[id_], events) if id_ in found else Refused(contract.NO_SUCH_SHIPMENT) for id_ in ids]
    save_all(found.values(), at=now)
    publish(events, now=now)
    return answers


def leave(shipment: LockedShipment, events: list[Append]) -> Answer:
    """The carrier has it, if that is news. Refused when its label was given back."""
    if shipment.state in LEFT:
        return Done()
    if State.HANDED_OVER not in Shipment.MOVES[shipment.state]:
        return Refused(contract.CANCELLED, shipment.state)
    shipment.go(State.HANDED_OVER)
    events.append(shipment.tell(ShipmentHandedOver, lines=shipment.contents()))
    return Done()


def arrive(shipment: LockedShipment, events: list[Append]) -> Answer:
    """The customer has it, if that is news. What came back to us did not arrive."""
    if shipment.ended:
        return Done()
    left = leave(shipment, events)
    if isinstance(left, Done):
        shipment.end(State.DELIVERED)
        events.append(shipment.tell(ShipmentDelivered))
    return left
