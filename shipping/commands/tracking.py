"""What carriers tell of parcels that have left: scans, in whatever order they come, and however often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.db import transaction

from sagas.circuits import CIRCUIT_OPEN, ask_through, room_for
from sagas.log import Append, publish
from sagas.sql import execute
from sagas.verdicts import Answer, Done, Refused, Unavailable
from shipping import contract, queries
from shipping.carriers import TRACK
from shipping.carriers.base import Carrier, CarrierStatus, Tracking
from shipping.commands.leaving import arrive, leave
from shipping.commands.parcels import ASK_AFTER, LockedShipment, lock_by_id, save_all
from shipping.contract import ShipmentLost, ShipmentProgressed, ShipmentReturned
from shipping.models import Shipment

logger = structlog.get_logger(__name__)

State = Shipment.State

#: Not sooner is the carrier asked again about a parcel of which it could not tell.
SOON = timedelta(seconds=30)
#: Scans of one moment are told in this order.
RANK = {status: n for n, status in enumerate(CarrierStatus)}

PUT_OFF = """
UPDATE shipping_shipment s SET ask_at = %s WHERE s.id = ANY(%s::uuid[]) AND s.ask_at IS NOT NULL
"""


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """One thing that happened to a parcel, by its name at the carrier and the carrier's clock."""

    carrier_id: str
    status: CarrierStatus
    at: datetime


def record_scans(scans: Sequence[Scanned], *, now: datetime) -> list[Answer]:
    """Take in what carriers told. Safe to repeat, in any order: a parcel stands where the furthest true scan puts it.

    An end (delivered, returned) stays; before it the latest scan by the carrier's clock counts. A scan of a parcel that
    we thought was still here says that it has left. Refused: there is no such parcel, or its label was given back.
    Publishes ShipmentHandedOver, ShipmentProgressed, ShipmentDelivered, ShipmentReturned, ShipmentLost.
    """
    ids = queries.by_carrier_id({scan.carrier_id for scan in scans})
    found = lock_by_id(ids.values())
    events: list[Append] = []
    answers: dict[int, Answer] = {}
    for place, scan in sorted(enumerate(scans), key=lambda pair: (pair[1].at, RANK[pair[1].status])):
        shipment = found.get(ids[scan.carrier_id]) if scan.carrier_id in ids else None
        answers[place] = (
            _scanned(shipment, scan, events, now) if shipment else Refused(contract.NO_SUCH_SHIPMENT)
        )
    save_all(found.values(), at=now)
    publish(events, now=now)
    return [answers[place] for place in range(len(scans))]


def _scanned(shipment: LockedShipment, scan: Scanned, events: list[Append], now: datetime) -> Answer:
    if scan.status in (CarrierStatus.BOOKED, CarrierStatus.CANCELLED):
        return Done()  # of labels we know best ourselves
    left = leave(shipment, events)
    if not isinstance(left, Done):
        logger.warning(
            "scan_of_no_parcel", shipment_id=str(shipment.id), status=scan.status, state=shipment.state
        )
        return left
    if shipment.ended:
        return Done()
    shipment.ask_at = now + ASK_AFTER
    return _further(shipment, scan, events)


def _further(shipment: LockedShipment, scan: Scanned, events: list[Append]) -> Answer:
    match scan.status:
        case CarrierStatus.DELIVERED:
            return arrive(shipment, events)
        case CarrierStatus.RETURNED:
            shipment.end(State.RETURNED)
            events.append(shipment.tell(ShipmentReturned, lines=shipment.contents()))
        case _ if _is_old(shipment, scan):
            return Done()
        case CarrierStatus.LOST:
            shipment.reach(State.LOST, scan.status, scan.at)
            events.append(shipment.tell(ShipmentLost, happened_at=scan.at))
        case _:
            shipment.reach(State.HANDED_OVER, scan.status, scan.at)
            events.append(shipment.tell(ShipmentProgressed, progress=scan.status, happened_at=scan.at))
    return Done()


def _is_old(shipment: LockedShipment, scan: Scanned) -> bool:
    """Whether something as late was heard before."""
    if shipment.progress_at is None:
        return False
    known = (shipment.progress_at, RANK[CarrierStatus(shipment.progress)])
    return (scan.at, RANK[scan.status]) <= known


def ask_after_parcels(carrier: Carrier, *, now: datetime, limit: int = 20) -> int:
    """Ask the carrier about parcels of which nothing was heard for long; how many were asked about.

    Call outside any transaction. Safe to kill and to repeat, and side by side: who is asked about is put off first.
    While the carrier is out of reach nobody is, and those it told nothing of are asked about a little later.
    """
    room = room_for(TRACK, limit)
    silent = queries.silent_parcels(now=now, limit=room) if room else []
    if silent:
        execute(PUT_OFF, [now + ASK_AFTER, [parcel.id for parcel in silent]])
    for place, parcel in enumerate(silent):
        told = ask_through(TRACK, partial(carrier.track, parcel.carrier_id))
        if isinstance(told, Unavailable):
            left = silent[place : place + 1] if told.code != CIRCUIT_OPEN else silent[place:]
            execute(PUT_OFF, [max(told.retry_at or now, now + SOON), [one.id for one in left]])
            if told.code == CIRCUIT_OPEN:
                break
        elif isinstance(told, Tracking):
            with transaction.atomic():
                record_scans(scans_of(told), now=now)
        else:
            logger.error("parcel_unknown_to_carrier", shipment_id=str(parcel.id), code=told.code)
    return len(silent)


def scans_of(told: Tracking) -> list[Scanned]:
    """A carrier's whole story of a parcel as scans."""
    return [Scanned(carrier_id=told.shipment_id, status=scan.status, at=scan.at) for scan in told.scans]
