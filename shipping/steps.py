"""What shipping does for a saga at the carrier, each act beside the one that gives it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from orders.contract import GOODS
from sagas.people import PersonData, read_people
from sagas.steps import (
    Ask,
    Continue,
    ExternalStep,
    NotDone,
    StepCall,
    external_compensation,
    external_step,
    local_step,
)
from sagas.verdicts import Answer, Done, Refused, Unavailable, Unknown
from shipping import commands, contract
from shipping.carriers import base, get_carrier
from shipping.commands import (
    AlreadyHandedOver,
    BookParcel,
    CancelParcel,
    Heard,
    Labels,
    Parcel,
    Voided,
    WithdrawParcel,
)
from shipping.discretion import discreet

PROVIDER_FAILED = "shipping.provider_failed"
LIVE = (base.CarrierStatus.BOOKED, base.CarrierStatus.IN_TRANSIT, base.CarrierStatus.DELIVERED)
Outcome = Answer | Continue


@external_step(
    contract.BOOK_SHIPMENT,
    undo=contract.CANCEL_SHIPMENT,
    provider="carrier",
    needs=("person_id", "country", "location_id"),
    wants=("order_id",),
    gives=("shipment_id",),
    subject=True,
)
class BookShipment(ExternalStep):
    """Done: there is one paid label. An order without goods books nothing and is Done."""

    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        begun = commands.begin_bookings([booking(call) for call in calls], now=calls[0].now)
        asked = {
            as_id(c.input["person_id"]) for c, b in zip(calls, begun, strict=True) if isinstance(b, Parcel)
        }
        people = read_people(asked) if asked else {}
        return [
            Ask(c, {"parcel": b, "ship_to": address(people, c)}) if isinstance(b, Parcel) else b
            for c, b in zip(calls, begun, strict=True)
        ]

    def ask(self, ask: Ask) -> Outcome:
        parcel: Parcel = ask.payload["parcel"]
        with discreet(ask.payload["ship_to"]) as said:
            result = said(
                get_carrier().book(
                    base.BookShipment(
                        key=ask.call.key,
                        reference=parcel.reference,
                        ship_to=ask.payload["ship_to"],
                        units=parcel.units,
                        correlation_id=ask.call.correlation_id,
                    )
                )
            )
        return Done({"labels": Labels(result)}) if isinstance(result, base.CarrierShipment) else result

    def settle(self, ask: Ask) -> Outcome:
        """Look for the label; if it is not there and still wanted, ask again with the same key.

        An earlier call may only be late: under its own key it gives the same label, under another a second
        one. A carrier that fails again has dealt with that key: what is still not there never will be.
        """
        seen = self._look(ask)
        if not isinstance(seen, NotDone) or ask.call.cause:
            return seen
        again = self.ask(ask)
        if isinstance(again, Unknown) and again.code == PROVIDER_FAILED:
            return self._look(ask)
        return again

    @staticmethod
    def _look(ask: Ask) -> Answer:
        labels = labels_of(ask.payload["parcel"], ask.call.correlation_id)
        if isinstance(labels, Unavailable):
            return Unknown(labels.code, labels.detail)
        if not labels:
            return NotDone()
        oldest, *others = labels[::-1]
        return Done({"labels": Labels(oldest, tuple(label.id for label in others))})

    def record(self, answers: Sequence[tuple[StepCall, Outcome]]) -> Sequence[Outcome]:
        heard = [
            Heard(order_of(call), what_was_heard(outcome), call.late, part_of(call))
            for call, outcome in answers
        ]
        return commands.record_bookings(heard, now=answers[0][0].now)


class VoidLabel(ExternalStep):
    """What cancelling and withdrawing share: the carrier is asked to take the label back."""

    def ask(self, ask: Ask) -> Outcome:
        """Give back every live label of the parcel. Done when none is left, refused when it was taken."""
        parcel: Parcel = ask.payload["parcel"]
        labels = [parcel.carrier_id]
        if not parcel.carrier_id:
            found = labels_of(parcel, ask.call.correlation_id)
            if isinstance(found, Unavailable):
                return found
            labels = [label.id for label in found]
        for label in labels:
            answer = self._void(label, ask)
            if not isinstance(answer, Done):
                return answer
        return Done()

    def settle(self, ask: Ask) -> Outcome:
        """The same: an earlier try is looked at first, and voiding twice is voiding once."""
        return self.ask(ask)

    def record(self, answers: Sequence[tuple[StepCall, Outcome]]) -> Sequence[Outcome]:
        heard = [
            Voided(
                order_of(call), settled(outcome), call.cause_code or call.cause or "withdrawn", part_of(call)
            )
            for call, outcome in answers
        ]
        return commands.record_voids(heard, now=answers[0][0].now)

    def _void(self, label: str, ask: Ask) -> Answer:
        call, carrier = ask.call, get_carrier()
        if call.settling:
            seen = carrier.retrieve(label, correlation_id=call.correlation_id)
            if not isinstance(seen, base.CarrierShipment):
                return seen
            if seen.status != base.CarrierStatus.BOOKED:
                return self._judge(seen, label)
        # Each attempt has a key of its own: a stored failure would be replayed for ever, and twice is once.
        key = uuid5(call.key, f"{label}|{call.attempt}")
        return self._judge(
            carrier.cancel(
                base.CancelShipment(key=key, shipment_id=label, correlation_id=call.correlation_id)
            ),
            label,
        )

    @staticmethod
    def _judge(result: base.ShipmentResult, label: str) -> Answer:
        if isinstance(result, base.CarrierShipment):
            gone = result.status != base.CarrierStatus.CANCELLED
            return AlreadyHandedOver(detail=label) if gone else Done()
        if isinstance(result, Refused) and result.code == base.ALREADY_PICKED_UP:
            return AlreadyHandedOver(detail=label)
        return result


@external_compensation(contract.CANCEL_SHIPMENT, provider="carrier", wants=("order_id",))
class CancelShipment(VoidLabel):
    """By order, or by part of it: the booking's answer may have been lost, or it may never have run."""

    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        requests = [
            CancelParcel(c.key, order_of(c), c.shop_id, c.reference, c.cause_code or c.cause, part_of(c))
            for c in calls
        ]
        return asks(calls, commands.begin_cancellations(requests, now=calls[0].now))


@external_step(contract.WITHDRAW_SHIPMENT, provider="carrier", needs=("order_id", "lines", "whole"))
class WithdrawShipment(VoidLabel):
    """Whole: the label is given back. Part: the pieces are taken out, the label stays, nobody is called."""

    def begin(self, calls: Sequence[StepCall]) -> Sequence[Ask | Answer]:
        requests = [
            WithdrawParcel(c.key, order_of(c), bool(c.input["whole"]), pieces(c.input["lines"]), part_of(c))
            for c in calls
        ]
        return asks(calls, commands.begin_withdrawals(requests, now=calls[0].now))


@local_step(contract.CLEAR_PARCEL, needs=("order_id",))
def clear_parcel(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """One parcel of an order that has several is paid for: the carrier may take it."""
    commands.clear_parcels({call.subject_id: order_of(call) for call in calls}, now=calls[0].now)
    return [Done() for _ in calls]


def booking(call: StepCall) -> BookParcel:
    """What a saga's call asks of the carrier."""
    location = call.input["location_id"]
    return BookParcel(
        key=call.key,
        order_id=order_of(call),
        part_id=part_of(call),
        shop_id=call.shop_id,
        reference=call.reference,
        country=call.input["country"],
        goods=pieces(line for line in (call.subject or {})["lines"] if line["kind"] == GOODS),
        location_id=as_id(location) if location else None,
        settling=call.settling,
    )


def address(people: Mapping[UUID, PersonData], call: StepCall) -> dict[str, str]:
    """Where it goes, read now and kept nowhere."""
    person = people.get(as_id(call.input["person_id"]))
    known = {"name": person.name, **person.address} if person else {}
    return {**{name: str(value) for name, value in known.items() if value}, "country": call.input["country"]}


def labels_of(parcel: Parcel, correlation_id: str) -> list[base.CarrierShipment] | Unavailable:
    """The live labels the carrier sold under the parcel's keys, newest first."""
    found = get_carrier().find_by_reference(parcel.reference, correlation_id=correlation_id)
    if isinstance(found, Unavailable):
        return found
    keys = {str(key) for key in parcel.keys}
    return [label for label in found if label.key in keys and label.status in LIVE]


def what_was_heard(outcome: Outcome) -> Labels | Answer:
    """The labels in a good answer, or the verdict."""
    if isinstance(outcome, Done):
        labels: Labels = outcome.result["labels"]
        return labels
    return settled(outcome)


def settled(outcome: Outcome) -> Answer:
    """Shipping's steps never go on with a second request."""
    if isinstance(outcome, Continue):
        raise TypeError("No step of shipping continues.")
    return outcome


def asks(calls: Sequence[StepCall], begun: Sequence[Parcel | Answer]) -> list[Ask | Answer]:
    """Parcels become requests for the threads."""
    pairs = zip(calls, begun, strict=True)
    return [Ask(call, {"parcel": b}) if isinstance(b, Parcel) else b for call, b in pairs]


def order_of(call: StepCall) -> UUID:
    """The order a call is about: named by the saga, or its subject."""
    return as_id(call.input.get("order_id") or call.subject_id)


def part_of(call: StepCall) -> UUID | None:
    """Which parcel of its order a call is about: the subject, where that is not the order itself."""
    return call.subject_id if call.subject_id != order_of(call) else None


def pieces(lines: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Pieces per SKU. Several lines of one SKU add up."""
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line["sku"]] += line["quantity"]
    return dict(wanted)


def as_id(value: Any) -> UUID:
    """An id as it comes out of a saga's context."""
    return UUID(str(value))
