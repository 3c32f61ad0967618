"""An order in parcels ends when each of them has arrived, whatever was heard first."""

from __future__ import annotations

from django.db import transaction

from sagas.clock import database_now
from sagas.ids import uuid7
from shipping import commands
from shipping.carriers import get_carrier
from shipping.carriers.base import MoveParcels
from shipping.carriers.http import HttpCarrier
from shipping.models import Shipment
from tests.scenarios.fulfilment import Fulfilment
from tests.scenarios.parcels import ask, cancel, claims, confirmed, money, packed, shop

__all__ = ["shop"]


def brought(shop: Fulfilment) -> None:
    """The carrier takes the one parcel, whether it may leave or not, and brings it; we hear of it at once."""
    parcel, carrier = Shipment.objects.get(), get_carrier()
    assert isinstance(carrier, HttpCarrier)
    moved = MoveParcels(key=uuid7(), shipment_ids=[parcel.carrier_id], limit=1)
    carrier.pick_up(moved)
    carrier.deliver(moved)
    with transaction.atomic():
        commands.deliver([parcel.pk], now=database_now())
    shop.settle_now()


def test_f50_a_parcel_that_arrived_before_its_cancellation_was_lost_completes_the_order(
    shop: Fulfilment,
) -> None:
    confirmed(shop, MUG=1)
    packed(shop, {1: 1})
    cancel(shop, 1)
    shop.sandbox.script("cancel_shipment", "*", "unavailable", times=3)
    shop.settle_now()
    brought(shop)

    shop.settle()

    assert claims(shop) == [(1, "ready", 601)]
    assert shop.row().state == "completed"
    assert money(shop) == ("captured", 601, 0)


def test_a_parcel_that_arrived_before_it_was_ready_completes_the_order(shop: Fulfilment) -> None:
    confirmed(shop, MUG=1)
    shop.given("payments.capture_payment", "A-1", meets="unavailable", times=2)
    ask(shop)
    shop.settle_now()
    assert claims(shop) == [(1, "claimed", 601)]
    brought(shop)

    shop.settle()

    assert claims(shop) == [(1, "ready", 601)]
    assert shop.row().state == "completed"
