"""One suite for every carrier: the fake in memory and the sandbox over HTTP keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest

from sagas.resilience.asking import KeyReused
from sagas.verdicts import Refused, Unavailable, Unknown
from shipping.carriers.base import (
    AddressUnknown,
    BookShipment,
    CancelShipment,
    Carrier,
    CarrierShipment,
    CarrierStatus,
    Deliverer,
    LabelFile,
    Moved,
    MoveParcels,
    QuoteShipment,
    Tracking,
)
from shipping.carriers.fake import FakeCarrier
from shipping.carriers.http import HttpCarrier
from tests.sandbox_process import SandboxProcess, running_sandbox

NUMBERS = count(1)


class DeliveringCarrier(Carrier, Deliverer, Protocol):
    """What the sandbox and the fake can do."""


class Provider(Protocol):
    """The scripted side of a carrier."""

    def script(
        self, operation: str, reference: str, action: str, *, times: int | None = None, **params: Any
    ) -> None: ...
    def effects(self, reference: str) -> dict[str, int]: ...


class Stage:
    """A carrier with its scripts, and one order to send."""

    def __init__(self, carrier: DeliveringCarrier, provider: Provider) -> None:
        self.carrier = carrier
        self.provider = provider
        self.reference = f"PARCEL-{next(NUMBERS)}"
        self.key = uuid4()

    def script(self, operation: str, action: str, *, times: int | None = None, **params: Any) -> None:
        self.provider.script(operation, self.reference, action, times=times, **params)

    def happened(self, kind: str) -> int:
        return self.provider.effects(self.reference).get(kind, 0)

    def booking(self, key: UUID | None = None, **changes: Any) -> BookShipment:
        address = {"name": "A. Reader", "line1": "1 High Street", "postcode": "AB1 2CD", "country": "GB"}
        return BookShipment(
            **{"key": key or self.key, "reference": self.reference, "ship_to": address, "units": 3, **changes}
        )

    def booked(self, key: UUID | None = None) -> CarrierShipment:
        return self.a_shipment(self.carrier.book(self.booking(key)))

    def move(self, *shipments: CarrierShipment) -> MoveParcels:
        return MoveParcels(key=uuid4(), shipment_ids=[one.id for one in shipments])

    def scan(self, shipment: CarrierShipment, status: CarrierStatus, at: datetime) -> None:
        """Something happens to a parcel out there."""
        if isinstance(self.provider, SandboxProcess):
            self.provider.scan(shipment.id, status, at)
        else:
            assert isinstance(self.carrier, FakeCarrier)
            self.carrier.scan(shipment.id, status, at)

    def status_of(self, shipment: CarrierShipment) -> CarrierStatus:
        return self.a_shipment(self.carrier.retrieve(shipment.id)).status

    @staticmethod
    def a_shipment(result: object) -> CarrierShipment:
        assert isinstance(result, CarrierShipment), result
        return result


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    folder: Path = tmp_path_factory.mktemp("sandbox")
    with running_sandbox(folder, "--profile", "quiet") as running:
        yield running


@pytest.fixture(params=["fake", "sandbox"])
def stage(request: pytest.FixtureRequest) -> Stage:
    if request.param == "fake":
        fake = FakeCarrier()
        return Stage(fake, fake)
    running: SandboxProcess = request.getfixturevalue("sandbox")
    return Stage(HttpCarrier(running.client()), running)


def test_booking_buys_one_label_per_key(stage: Stage) -> None:
    first, again = stage.booked(), stage.booked()

    assert first == again
    assert (first.reference, first.key, first.status) == (
        stage.reference,
        str(stage.key),
        CarrierStatus.BOOKED,
    )
    assert first.tracking_number
    assert first.id in first.label_url
    assert first.price_minor > 0
    assert stage.happened("labels") == 1


def test_two_keys_buy_two_labels(stage: Stage) -> None:
    first, second = stage.booked(uuid4()), stage.booked(uuid4())

    assert stage.carrier.find_by_reference(stage.reference) == (second, first)
    assert stage.happened("labels") == 2


def test_one_key_for_two_different_bookings_is_a_bug(stage: Stage) -> None:
    stage.booked()

    with pytest.raises(KeyReused):
        stage.carrier.book(stage.booking(units=4))


@pytest.mark.parametrize("code", ["country_not_served", "address_invalid", "service_not_available"])
def test_f08_a_refused_booking_has_the_carriers_word_and_makes_no_label(stage: Stage, code: str) -> None:
    stage.script("book", "refuse", code=code)

    first = stage.carrier.book(stage.booking())
    by_another_key = stage.carrier.book(stage.booking(uuid4()))

    assert first == by_another_key == Refused(f"shipping.{code}", code)
    assert stage.carrier.find_by_reference(stage.reference) == ()
    assert stage.happened("labels") == 0


@pytest.mark.parametrize(
    ("said", "understood"), [("postcode", "postcode"), ("planet", ""), ("", "")], ids=["known", "odd", "none"]
)
def test_f08_an_address_that_can_be_corrected_says_so_and_what_is_wrong(
    stage: Stage, said: str, understood: str
) -> None:
    stage.script("book", "refuse", code="address_unknown", times=1, **({"field": said} if said else {}))

    refused = stage.carrier.book(stage.booking())
    corrected = stage.carrier.book(stage.booking(uuid4(), ship_to={"country": "GB", "postcode": "AB1 2CE"}))

    assert isinstance(refused, AddressUnknown)
    assert (refused.code, refused.field) == ("shipping.address_unknown", understood)
    assert isinstance(corrected, CarrierShipment)
    assert stage.happened("labels") == 1


def test_f08_a_postcode_where_nobody_lives_is_not_found(stage: Stage) -> None:
    nowhere = {"country": "DE", "postcode": "00000"}

    booked = stage.carrier.book(stage.booking(ship_to=nowhere))
    quoted = stage.carrier.quote(QuoteShipment(ship_to=nowhere, units=1))

    assert booked == quoted == AddressUnknown("postcode")
    assert stage.happened("labels") == 0


def test_f08_what_is_final_cannot_be_corrected(stage: Stage) -> None:
    stage.script("book", "refuse", code="country_not_served")

    assert not isinstance(stage.carrier.book(stage.booking()), AddressUnknown)


def test_an_address_without_a_country_is_refused(stage: Stage) -> None:
    result = stage.carrier.book(stage.booking(ship_to={"name": "A. Reader"}))

    assert result == Refused("shipping.address_invalid", "address_invalid")


def test_cancelling_gives_the_label_back_once(stage: Stage) -> None:
    shipment = stage.booked()

    first = stage.a_shipment(stage.carrier.cancel(CancelShipment(key=stage.key, shipment_id=shipment.id)))
    again = stage.a_shipment(stage.carrier.cancel(CancelShipment(key=stage.key, shipment_id=shipment.id)))
    by_another_key = stage.a_shipment(
        stage.carrier.cancel(CancelShipment(key=uuid4(), shipment_id=shipment.id))
    )

    assert first.status == CarrierStatus.CANCELLED
    assert first == again == by_another_key
    assert stage.happened("cancellations") == 1


def test_f48_what_was_picked_up_cannot_be_cancelled(stage: Stage) -> None:
    shipment = stage.booked()
    stage.carrier.pick_up(stage.move(shipment))

    result = stage.carrier.cancel(CancelShipment(key=stage.key, shipment_id=shipment.id))

    assert result == Refused("shipping.already_picked_up", "already_picked_up")
    assert stage.status_of(shipment) == CarrierStatus.IN_TRANSIT
    assert stage.happened("cancellations") == 0


def test_what_was_cancelled_is_not_picked_up(stage: Stage) -> None:
    cancelled, kept = stage.booked(uuid4()), stage.booked(uuid4())
    stage.carrier.cancel(CancelShipment(key=stage.key, shipment_id=cancelled.id))

    moved = stage.carrier.pick_up(stage.move(cancelled, kept))

    assert moved == (Moved(kept.id, stage.reference),)
    assert stage.status_of(cancelled) == CarrierStatus.CANCELLED
    assert stage.happened("pickups") == 1


def test_a_parcel_is_picked_up_and_delivered_once_and_a_repeat_tells_the_same(stage: Stage) -> None:
    shipment = stage.booked()

    picked_up = [stage.carrier.pick_up(stage.move(shipment)) for _ in range(2)]
    delivered = [stage.carrier.deliver(stage.move(shipment)) for _ in range(2)]

    here = (Moved(shipment.id, stage.reference),)
    assert picked_up == [here, here]
    assert delivered == [here, here]
    assert stage.status_of(shipment) == CarrierStatus.DELIVERED
    assert (stage.happened("pickups"), stage.happened("deliveries")) == (1, 1)


def test_what_was_not_picked_up_is_not_delivered(stage: Stage) -> None:
    shipment = stage.booked()

    delivered = stage.carrier.deliver(stage.move(shipment))

    assert delivered == ()
    assert stage.status_of(shipment) == CarrierStatus.BOOKED


def test_whatever_is_ready_is_picked_up_oldest_first_up_to_a_limit(stage: Stage) -> None:
    stage.carrier.pick_up(MoveParcels(key=uuid4()))  # what other tests left behind
    first, second, third = (stage.booked(uuid4()) for _ in range(3))

    two = stage.carrier.pick_up(MoveParcels(key=uuid4(), limit=2))
    rest = stage.carrier.pick_up(MoveParcels(key=uuid4()))
    none = stage.carrier.pick_up(MoveParcels(key=uuid4()))

    assert two == (Moved(first.id, stage.reference), Moved(second.id, stage.reference))
    assert rest == (Moved(third.id, stage.reference),)
    assert none == ()


def test_f47_a_label_of_unknown_outcome_is_found_by_reference_and_not_bought_twice(stage: Stage) -> None:
    stage.script("book", "do_then_drop")

    result = stage.carrier.book(stage.booking())

    assert result == Unknown("shipping.no_answer", result.detail if isinstance(result, Unknown) else "")
    found = stage.carrier.find_by_reference(stage.reference)
    assert isinstance(found, tuple)
    assert [one.key for one in found] == [str(stage.key)]
    assert (stage.booked(),) == found
    assert stage.happened("labels") == 1


def test_f13_a_booking_that_never_was_is_not_found_and_the_repeat_buys_one(stage: Stage) -> None:
    stage.script("book", "drop")

    result = stage.carrier.book(stage.booking())

    assert isinstance(result, Unknown)
    assert stage.carrier.find_by_reference(stage.reference) == ()
    assert stage.booked().status == CarrierStatus.BOOKED
    assert stage.happened("labels") == 1


def test_f14_a_500_after_the_label_was_made_is_unknown_and_find_tells(stage: Stage) -> None:
    stage.script("book", "do_then_5xx", status=500)

    results = [stage.carrier.book(stage.booking()) for _ in range(2)]

    assert results == [Unknown("shipping.provider_failed", "500")] * 2
    found = stage.carrier.find_by_reference(stage.reference)
    assert isinstance(found, tuple)
    assert [one.status for one in found] == [CarrierStatus.BOOKED]
    assert stage.happened("labels") == 1


@pytest.mark.parametrize("action", ["do_then_drop", "drop"])
def test_f29_a_cancellation_of_unknown_outcome_is_repeated_with_one_effect(stage: Stage, action: str) -> None:
    stage.script("cancel_shipment", action)
    shipment = stage.booked()
    request = CancelShipment(key=stage.key, shipment_id=shipment.id)

    first = stage.carrier.cancel(request)
    again = stage.a_shipment(stage.carrier.cancel(request))

    assert isinstance(first, Unknown)
    assert again.status == CarrierStatus.CANCELLED
    assert stage.happened("cancellations") == 1


@pytest.mark.parametrize(
    ("action", "code"),
    [("rate_limit", "shipping.provider_throttled"), ("unavailable", "shipping.provider_down")],
)
def test_f46_not_now_is_unavailable_and_no_label_was_made(stage: Stage, action: str, code: str) -> None:
    stage.script("book", action)

    result = stage.carrier.book(stage.booking())

    assert isinstance(result, Unavailable)
    assert result.code == code
    assert stage.happened("labels") == 0
    assert stage.booked().status == CarrierStatus.BOOKED


def test_what_does_not_exist_is_refused(stage: Stage) -> None:
    missing = Refused("shipping.not_found", "not_found")

    assert stage.carrier.retrieve("shp_none") == missing
    assert stage.carrier.cancel(CancelShipment(key=uuid4(), shipment_id="shp_none")) == missing
    assert stage.carrier.pick_up(MoveParcels(key=uuid4(), shipment_ids=["shp_none"])) == ()


def test_the_listing_is_complete_newest_first_and_without_doubles(stage: Stage) -> None:
    made = [stage.booked(uuid4()).id for _ in range(7)]

    found: list[str] = []
    after = None
    while len(found) < len(made):
        page = stage.carrier.list_shipments(after=after, limit=3)
        assert not isinstance(page, Unavailable)
        found += [one.id for one in page.items if one.reference == stage.reference]
        after = page.next

    assert found == made[::-1]


def test_a_quote_names_ways_to_send_it_the_cheapest_first_and_buys_nothing(stage: Stage) -> None:
    quotes = stage.carrier.quote(QuoteShipment(ship_to={"country": "GB"}, units=3))

    assert isinstance(quotes, tuple)
    assert [quote.service for quote in quotes] == ["standard", "express"]
    assert 0 < quotes[0].price_minor < quotes[1].price_minor
    assert quotes[0].days > quotes[1].days
    assert stage.happened("labels") == 0


def test_a_quote_to_nowhere_is_refused(stage: Stage) -> None:
    assert stage.carrier.quote(QuoteShipment(ship_to={}, units=1)) == Refused(
        "shipping.address_invalid", "address_invalid"
    )


def test_a_label_is_a_pdf_until_it_is_given_back(stage: Stage) -> None:
    shipment = stage.booked()

    label = stage.carrier.label(shipment.id)
    stage.carrier.cancel(CancelShipment(key=uuid4(), shipment_id=shipment.id))

    assert isinstance(label, LabelFile)
    assert label.media_type == "application/pdf"
    assert label.content.startswith(b"%PDF-")
    assert label.content.rstrip().endswith(b"%%EOF")
    assert shipment.tracking_number.encode() in label.content
    assert stage.carrier.label(shipment.id) == Refused("shipping.label_void", "label_void")
    assert stage.carrier.label("shp_nowhere") == Refused("shipping.not_found", "not_found")


def test_tracking_tells_scans_by_the_carriers_clock(stage: Stage) -> None:
    shipment = stage.booked()
    noon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)

    stage.scan(shipment, CarrierStatus.DELIVERY_FAILED, noon + timedelta(hours=2))
    stage.scan(shipment, CarrierStatus.IN_TRANSIT, noon)
    told = stage.carrier.track(shipment.id)

    assert isinstance(told, Tracking)
    assert told.status == CarrierStatus.DELIVERY_FAILED
    assert [(s.status, s.at) for s in told.scans if s.status != CarrierStatus.BOOKED] == [
        (CarrierStatus.IN_TRANSIT, noon), (CarrierStatus.DELIVERY_FAILED, noon + timedelta(hours=2)),
    ]  # fmt: skip
    assert stage.status_of(shipment) == CarrierStatus.DELIVERY_FAILED
    assert stage.carrier.track("shp_nowhere") == Refused("shipping.not_found", "not_found")
