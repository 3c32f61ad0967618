"""Parcels on their way, told by a carrier over HTTP: to the customer, back to us, or nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from orders.models import Order
from orders.queries import get_order
from sagas.clock import database_now, travel
from shipping.carriers import get_carrier
from shipping.carriers.base import CarrierStatus
from shipping.commands import ask_after_parcels
from shipping.models import Shipment
from tests.scenarios.fulfilment import Fulfilment

S = CarrierStatus


def happens(shop: Fulfilment, *scans: CarrierStatus) -> None:
    """Out there, an hour after another; then the carrier is asked, since it never calls."""
    shipment, begin = Shipment.objects.get(), database_now() + timedelta(minutes=1)
    for hours, status in enumerate(scans):
        shop.sandbox.scan(shipment.carrier_id, status, begin + timedelta(hours=hours))
    travel(8 * 3600)
    ask_after_parcels(get_carrier(), now=database_now())
    shop.settle()


def shown(order: Order) -> str:
    """What the read side says of the parcel."""
    found = get_order(order.pk, order.shop_id)
    assert found is not None
    return found.row.shipment_state


@pytest.fixture
def sent(fulfilment: Fulfilment) -> Fulfilment:
    """One order whose parcel the carrier has."""
    fulfilment.shelve(MUG=10)
    fulfilment.order()
    fulfilment.settle()
    fulfilment.hand_over()
    return fulfilment


def test_a_parcel_is_followed_to_the_customer_by_asking(sent: Fulfilment) -> None:
    happens(sent, S.OUT_FOR_DELIVERY, S.DELIVERY_FAILED, S.OUT_FOR_DELIVERY, S.DELIVERED)

    assert sent.ends() == ("completed", "captured", "consumed", "delivered")


@pytest.mark.parametrize(
    ("scans", "state", "seen", "reason"),
    [
        ((S.OUT_FOR_DELIVERY,), "handed_over", "out_for_delivery", ""),
        ((S.DELIVERY_FAILED,), "handed_over", "delivery_failed", "parcel could not be delivered"),
        ((S.RETURN_TO_SENDER,), "handed_over", "return_to_sender", "parcel on its way back"),
        ((S.RETURN_TO_SENDER, S.RETURNED), "returned", "returned", "parcel returned"),
        ((S.DELAYED, S.LOST), "lost", "lost", "parcel lost"),
    ],
)
def test_f54_what_does_not_arrive_calls_a_person_and_moves_no_money(
    sent: Fulfilment, scans: Sequence[CarrierStatus], state: str, seen: str, reason: str
) -> None:
    happens(sent, *scans)

    order = Order.objects.get()
    assert sent.ends() == ("processing", "captured", "consumed", state)
    assert (order.needs_attention, order.attention_reason) == (bool(reason), reason)
    assert shown(order) == seen
    assert "refunds" not in sent.effects()
