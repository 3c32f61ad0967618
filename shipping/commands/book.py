"""Buy labels: write down what is about to be asked, then what the carrier said. One paid label per parcel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.sql import execute
from sagas.steps import NotDone
from sagas.verdicts import Answer, Done, Refused, Unknown, Waiting
from shipping import contract
from shipping.carriers.base import AddressUnknown, CarrierShipment
from shipping.commands import stops
from shipping.commands.parcels import LockedShipment, lock_parts, save_all, uuids
from shipping.contract import ShipmentAddressRefused, ShipmentBooked, ShipmentRefused, ShipmentUnknown
from shipping.models import Shipment

State = Shipment.State

INSERT = """
INSERT INTO shipping_shipment
       (id, key, keys, shop_id, order_id, part_id, reference, location_id, country, state, code, carrier_id, tracking,
        price_minor, surplus, applied, stop_reason, stop_version, version, made_at, moved_at)
SELECT u.id, u.key, u.keys::uuid[], u.shop_id, u.order_id, u.part_id, u.reference, u.location_id, u.country, u.state,
       '', '', '', 0, '{}', '{}', '', 0, u.version, %s, %s
  FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::uuid[],
              %s::text[], %s::text[], %s::int[])
       AS u (id, key, keys, shop_id, order_id, part_id, reference, location_id, country, state, version)
"""
INSERT_LINES = """
INSERT INTO shipping_shipmentline (shipment_id, sku, quantity, withdrawn)
SELECT u.*, 0 FROM unnest(%s::uuid[], %s::text[], %s::bigint[]) AS u
"""


class AlreadyCancelled(Refused):
    """The cancellation came first. No label may be bought for this order any more."""

    code = contract.ALREADY_CANCELLED


class CorrectAddress(Waiting):
    """A person may correct the address until then; after that it stays refused."""

    def __init__(self, until: datetime, field: str = "") -> None:
        super().__init__(contract.ADDRESS_TO_CORRECT, until, field, promised=until)


@dataclass(frozen=True)
class BookParcel:
    """What has to be sent, in pieces per SKU: a whole order, or one part of it.

    `settling`: the carrier may have been asked.
    """

    key: UUID
    order_id: UUID
    shop_id: UUID
    reference: str
    country: str
    goods: Mapping[str, int]
    location_id: UUID | None = None
    settling: bool = False
    part_id: UUID | None = None

    @property
    def part(self) -> UUID:
        """What of its order it is."""
        return self.part_id or self.order_id


@dataclass(frozen=True)
class Parcel:
    """A parcel the carrier is to be asked about, under any of `keys`."""

    shipment_id: UUID
    reference: str
    units: int
    keys: tuple[UUID, ...]
    carrier_id: str = ""


@dataclass(frozen=True)
class Labels:
    """What the carrier has for a parcel: the label to use, and the ids of any too many."""

    label: CarrierShipment
    surplus: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heard:
    """What was heard about one booking. `late`: its saga is not waiting for it any more."""

    order_id: UUID
    outcome: Labels | Answer
    late: bool = False
    part_id: UUID | None = None


def begin_bookings(requests: Sequence[BookParcel], *, now: datetime) -> list[Parcel | Answer]:
    """Write down what is about to be asked. Safe to repeat. An order without goods is Done without one.

    One of several parcels is stopped like its order: the news that goods are short may be older than the parcel.
    Publishes ShipmentRefused where nobody has corrected the address in time.
    """
    held = stops.hold(request.order_id for request in requests if request.part_id)
    found = lock_parts(request.order_id for request in requests)
    new: dict[UUID, tuple[BookParcel, UUID]] = {}
    answers: list[Parcel | Answer] = []
    events: list[Append] = []
    for request in requests:
        if shipment := found.get(request.part):
            answers.append(_begin_again(shipment, request, events, now))
        elif not request.goods:
            answers.append(Done({"shipment_id": None}))
        else:
            _, id_ = new.setdefault(request.part, (request, uuid7()))
            answers.append(Parcel(id_, request.reference, sum(request.goods.values()), (request.key,)))
    insert([(id_, request, State.LABEL_PENDING) for request, id_ in new.values()], now=now)
    stops.carry([(id_, request.order_id) for request, id_ in new.values()], held)
    save_all(found.values(), at=now)
    publish(events, now=now)
    return answers


def record_bookings(heard: Sequence[Heard], *, now: datetime) -> list[Answer]:
    """Store what the carrier said; the verdict on each. Safe to repeat, and true however late it comes.

    An address that the carrier does not find may be corrected for a time: the first such answer sets the end of it.
    Publishes ShipmentBooked, ShipmentRefused, ShipmentAddressRefused and ShipmentUnknown.
    """
    found = lock_parts(one.order_id for one in heard)
    events: list[Append] = []
    answers: list[Answer] = []
    for one in heard:
        answer, event = _take_in(found[one.part_id or one.order_id], one, now)
        answers.append(answer)
        events += [event] if event else []
    save_all(found.values(), at=now)
    publish(events, now=now)
    return answers


def insert(shipments: Sequence[tuple[UUID, BookParcel, str]], *, now: datetime, version: int = 0) -> None:
    """Write new shipments and their lines. `version` is how many events of them the caller publishes."""
    if not shipments:
        return
    requests = [request for _, request, _ in shipments]
    columns: list[list[Any]] = [
        [id_ for id_, _, _ in shipments],
        [r.key for r in requests],
        [uuids([r.key]) for r in requests],
        [r.shop_id for r in requests],
        [r.order_id for r in requests],
        [r.part_id for r in requests],
        [r.reference for r in requests],
        [r.location_id for r in requests],
        [r.country for r in requests],
        [state for _, _, state in shipments],
        [version for _ in shipments],
    ]
    execute(INSERT, [now, now, *columns])
    lines = [(id_, sku, quantity) for id_, r, _ in shipments for sku, quantity in r.goods.items()]
    if lines:
        execute(INSERT_LINES, [list(column) for column in zip(*lines, strict=True)])


def parcel_of(shipment: LockedShipment) -> Parcel:
    """What a thread needs to ask about it."""
    return Parcel(shipment.id, shipment.reference, shipment.units, tuple(shipment.keys), shipment.carrier_id)


def _begin_again(
    shipment: LockedShipment, request: BookParcel, events: list[Append], now: datetime
) -> Parcel | Answer:
    match shipment.state:
        case _ if request.settling:
            return parcel_of(shipment)
        case State.LABEL_PENDING | State.UNKNOWN:
            # A new attempt after the carrier was proven to have done nothing comes with a new key.
            shipment.take_key(request.key)
            return parcel_of(shipment)
        case State.ADDRESS_WRONG:
            return _look_at_correction(shipment, request.key, events, now)
        case State.LABEL_FAILED:
            return Refused(shipment.code)
        case State.VOIDED | State.VOID_PENDING:
            return AlreadyCancelled()
        case _:
            return Done({"shipment_id": str(shipment.id)})


def _look_at_correction(
    shipment: LockedShipment, key: UUID, events: list[Append], now: datetime
) -> Parcel | Answer:
    """A new key says that a person has corrected the address. With the old one there is only the time to look at."""
    until = shipment.correct_until
    if key not in shipment.keys:
        shipment.go(State.LABEL_PENDING)
        shipment.take_key(key)
        return parcel_of(shipment)
    if until is not None and now < until:
        return CorrectAddress(until)
    events.append(_fail(shipment, shipment.code))
    return Refused(shipment.code, "not corrected in time")


def _take_in(shipment: LockedShipment, heard: Heard, now: datetime) -> tuple[Answer, Append | None]:
    match heard.outcome:
        case Labels():
            return Done({"shipment_id": str(shipment.id)}), _bought(shipment, heard.outcome)
        case NotDone():
            if shipment.state == State.UNKNOWN:
                shipment.go(State.LABEL_PENDING)
        case AddressUnknown() if _may_be_corrected(shipment, now):
            return _address_wrong(shipment, heard.outcome, now)
        case Refused():
            return heard.outcome, _refused(shipment, heard.outcome)
        case Unknown():
            return heard.outcome, _unknown(shipment, heard.outcome)
    return heard.outcome, None


def _bought(shipment: LockedShipment, labels: Labels) -> Append | None:
    for label_id in labels.surplus:
        shipment.note_surplus(label_id)
    if shipment.carrier_id:
        shipment.note_surplus(labels.label.id)
        return None
    label = labels.label
    shipment.carrier_id, shipment.tracking = label.id, label.tracking_number
    shipment.price_minor, shipment.code, shipment.changed = label.price_minor, "", True
    if shipment.state != State.VOID_PENDING:
        shipment.go(State.LABEL_BOUGHT)
    return shipment.tell(ShipmentBooked, tracking=shipment.tracking, lines=shipment.contents())


def _may_be_corrected(shipment: LockedShipment, now: datetime) -> bool:
    """One part of an order does not wait: its pieces are free again, and whoever corrects the address asks anew."""
    asked = shipment.state in (State.LABEL_PENDING, State.UNKNOWN, State.ADDRESS_WRONG)
    in_time = shipment.correct_until is None or now < shipment.correct_until
    return asked and in_time and shipment.part_id is None


def _address_wrong(
    shipment: LockedShipment, outcome: AddressUnknown, now: datetime
) -> tuple[Answer, Append | None]:
    wait = timedelta(seconds=settings.WAYBILL.address_correction_seconds)
    until = shipment.correct_until = shipment.correct_until or now + wait
    if shipment.state == State.ADDRESS_WRONG:
        return CorrectAddress(until, outcome.field), None  # the same answer once more
    shipment.go(State.ADDRESS_WRONG)
    shipment.code = outcome.code
    event = shipment.tell(ShipmentAddressRefused, code=outcome.code, field=outcome.field, until=until)
    return CorrectAddress(until, outcome.field), event


def _refused(shipment: LockedShipment, outcome: Refused) -> Append | None:
    if shipment.state not in (State.LABEL_PENDING, State.UNKNOWN):
        return None
    return _fail(shipment, outcome.code)


def _fail(shipment: LockedShipment, code: str) -> Append:
    shipment.go(State.LABEL_FAILED)
    shipment.code = code
    return shipment.tell(ShipmentRefused, code=code)


def _unknown(shipment: LockedShipment, outcome: Unknown) -> Append | None:
    if shipment.state != State.LABEL_PENDING:
        return None
    shipment.go(State.UNKNOWN)
    shipment.code = outcome.code
    return shipment.tell(ShipmentUnknown, code=outcome.code)


__all__ = [
    "AlreadyCancelled",
    "BookParcel",
    "Heard",
    "Labels",
    "Parcel",
    "begin_bookings",
    "insert",
    "parcel_of",
    "record_bookings",
]
