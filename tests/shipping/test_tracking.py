"""Scans of parcels: any order, any number of times, and what nobody expected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations

import pytest
from django.db import transaction

from sagas.verdicts import Done, Refused
from shipping.carriers.base import CarrierStatus
from shipping.commands import Scanned, ask_after_parcels, hand_over, record_scans
from shipping.models import Shipment
from tests.shipping.dock import Dock

pytestmark = pytest.mark.django_db

S = CarrierStatus
#: What happens to one parcel, an hour after another.
WAY = (S.IN_TRANSIT, S.DELAYED, S.OUT_FOR_DELIVERY, S.DELIVERY_FAILED, S.OUT_FOR_DELIVERY, S.DELIVERED)


@pytest.fixture
def sent(dock: Dock) -> Dock:
    """A dock with one parcel the carrier has."""
    dock.book("A-1")
    with transaction.atomic():
        hand_over([dock.shipment("A-1").pk], now=dock.clock.now)
    return dock


def told(dock: Dock, *scans: tuple[CarrierStatus, float], order: str = "A-1") -> list[object]:
    """The carrier tells of one parcel, each scan so many hours after now."""
    carrier_id = dock.shipment(order).carrier_id
    with transaction.atomic():
        return list(
            record_scans(
                [Scanned(carrier_id=carrier_id, status=s, at=at(dock, hours)) for s, hours in scans],
                now=dock.clock.now,
            )
        )


def at(dock: Dock, hours: float) -> datetime:
    return dock.clock.now + timedelta(hours=hours)


def standing(dock: Dock) -> tuple[str, str]:
    shipment = dock.shipment("A-1")
    return shipment.state, shipment.progress


def test_f53_a_parcel_goes_its_way_scan_by_scan(sent: Dock) -> None:
    seen = []
    for hours, status in enumerate(WAY):
        told(sent, (status, hours))
        seen.append(standing(sent))

    assert seen == [
        ("handed_over", "in_transit"),
        ("handed_over", "delayed"),
        ("handed_over", "out_for_delivery"),
        ("handed_over", "delivery_failed"),
        ("handed_over", "out_for_delivery"),
        ("delivered", "out_for_delivery"),
    ]
    assert sent.story("A-1")[-6:] == ["ShipmentProgressed"] * 5 + ["ShipmentDelivered"]


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
def test_f53_shuffled_scans_end_where_the_furthest_true_one_puts_it(sent: Dock, order: Sequence[int]) -> None:
    scans = [
        (S.IN_TRANSIT, 1.0),
        (S.OUT_FOR_DELIVERY, 2.0),
        (S.DELIVERY_FAILED, 3.0),
        (S.READY_FOR_PICKUP, 4.0),
    ]

    for place in order:
        told(sent, scans[place])

    assert standing(sent) == ("handed_over", "ready_for_pickup")


def test_f53_an_old_scan_after_the_end_changes_nothing(sent: Dock) -> None:
    told(sent, (S.DELIVERED, 5))
    before = sent.story("A-1")

    assert told(sent, (S.OUT_FOR_DELIVERY, 4), (S.DELIVERED, 5), (S.IN_TRANSIT, 9)) == [Done()] * 3
    assert sent.story("A-1") == before
    assert standing(sent) == ("delivered", "")


def test_the_same_scan_twice_is_one_event(sent: Dock) -> None:
    told(sent, (S.IN_TRANSIT, 1), (S.IN_TRANSIT, 1))
    told(sent, (S.IN_TRANSIT, 1))

    assert sent.story("A-1").count("ShipmentProgressed") == 1


def test_scans_of_one_batch_are_taken_by_the_carriers_clock(sent: Dock) -> None:
    told(sent, (S.DELIVERED, 3), (S.IN_TRANSIT, 1), (S.OUT_FOR_DELIVERY, 2))

    assert sent.story("A-1")[-3:] == ["ShipmentProgressed", "ShipmentProgressed", "ShipmentDelivered"]


def test_a_scan_of_a_parcel_that_we_thought_was_here_says_that_it_left(dock: Dock) -> None:
    dock.book("A-1")

    told(dock, (S.OUT_FOR_DELIVERY, 1))

    assert dock.story("A-1") == ["ShipmentBooked", "ShipmentHandedOver", "ShipmentProgressed"]
    assert dock.shipment("A-1").state == "handed_over"


def test_a_scan_of_a_label_that_was_given_back_is_refused(dock: Dock) -> None:
    dock.book("A-1")
    dock.cancel("A-1")

    assert told(dock, (S.IN_TRANSIT, 1)) == [Refused("shipping.cancelled", "voided")]
    assert dock.shipment("A-1").state == "voided"


def test_a_scan_of_a_parcel_nobody_knows_is_refused(dock: Dock) -> None:
    scan = Scanned(carrier_id="shp_nowhere", status=S.IN_TRANSIT, at=dock.clock.now)

    assert record_scans([scan], now=dock.clock.now) == [Refused("shipping.no_such_shipment")]


def test_f54_a_lost_parcel_is_lost_and_may_turn_up(sent: Dock) -> None:
    told(sent, (S.IN_TRANSIT, 1), (S.LOST, 100))
    lost = standing(sent)
    told(sent, (S.OUT_FOR_DELIVERY, 99))
    still = standing(sent)
    told(sent, (S.DELIVERED, 120))

    assert (lost, still) == (("lost", "lost"), ("lost", "lost"))
    assert sent.shipment("A-1").state == "delivered"


def test_f54_a_lost_parcel_that_is_scanned_again_is_on_its_way(sent: Dock) -> None:
    told(sent, (S.LOST, 100), (S.IN_TRANSIT, 110))

    assert standing(sent) == ("handed_over", "in_transit")


def test_f54_a_parcel_that_comes_back_is_returned_with_what_is_in_it(sent: Dock) -> None:
    told(sent, (S.RETURN_TO_SENDER, 1), (S.RETURNED, 30))

    assert sent.shipment("A-1").state == "returned"
    assert sent.events("A-1")[-1].lines == [{"sku": "LAMP", "quantity": 1}, {"sku": "MUG", "quantity": 3}]  # type: ignore[attr-defined]
    assert told(sent, (S.DELIVERED, 40)) == [Done()]
    assert sent.shipment("A-1").state == "returned"


def test_a_silent_parcel_is_asked_after_once_in_a_while_and_not_after_its_end(sent: Dock) -> None:
    shipment = sent.shipment("A-1")
    early = ask_after_parcels(sent.carrier, now=sent.clock.now)
    sent.clock.forward(hours=7)
    sent.carrier.scan(shipment.carrier_id, S.OUT_FOR_DELIVERY, at(sent, -1))

    asked = ask_after_parcels(sent.carrier, now=sent.clock.now)
    again = ask_after_parcels(sent.carrier, now=sent.clock.now)
    progress = standing(sent)
    sent.clock.forward(hours=7)
    sent.carrier.scan(shipment.carrier_id, S.DELIVERED, at(sent, -1))
    ended = ask_after_parcels(sent.carrier, now=sent.clock.now)
    sent.clock.forward(hours=70)

    assert (early, asked, again, ended) == (0, 1, 0, 1)
    assert progress == ("handed_over", "out_for_delivery")
    assert sent.shipment("A-1").state == "delivered"
    assert ask_after_parcels(sent.carrier, now=sent.clock.now) == 0


def test_a_parcel_that_the_carrier_tells_of_is_not_asked_after(sent: Dock) -> None:
    sent.clock.forward(hours=5)
    told(sent, (S.IN_TRANSIT, 0))
    sent.clock.forward(hours=5)

    assert ask_after_parcels(sent.carrier, now=sent.clock.now) == 0


def test_what_was_withdrawn_is_not_in_a_parcel_that_comes_back(dock: Dock) -> None:
    dock.book("A-1")
    dock.run(dock.withdrawal("A-1", MUG=2))
    told(dock, (S.RETURNED, 1))

    assert dock.events("A-1")[-1].lines == [{"sku": "LAMP", "quantity": 1}, {"sku": "MUG", "quantity": 1}]  # type: ignore[attr-defined]
    assert Shipment.objects.get().ask_at is None
