"""Which events carry the mark `led`: all of an orchestrated fulfilment, and none that a choreographed one may go by."""

from __future__ import annotations

import pytest

from orders.contract import ORCHESTRATION
from sagas.sql import rows
from tests.scenarios.fulfilment import Fulfilment

pytestmark = pytest.mark.django_db(transaction=True)

MARKS = "SELECT type, metadata ? 'led' FROM sagas_event WHERE type = ANY(%s) ORDER BY era, xid, position"
#: What parts of a choreographed fulfilment go by.
GONE_BY = [
    "orders.OrderPlaced", "payments.PaymentAuthorized", "inventory.StockReserved", "shipping.ShipmentBooked",
    "payments.PaymentCaptured", "shipping.ShipmentRefused", "inventory.StockReleased", "payments.PaymentVoided",
]  # fmt: skip
OF_A_CANCELLATION = ["payments.PaymentRefunded", "inventory.StockReleased", "shipping.ShipmentCancelled"]


def test_a_fulfilment_is_marked_if_and_only_if_it_is_led(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.given("shipping.book_shipment", "FAR", refuses="country_not_served")
    fulfilment.order("GOOD")
    fulfilment.order("FAR")
    fulfilment.settle()

    found = rows(MARKS, [GONE_BY])

    assert {type_ for type_, _ in found} == set(GONE_BY)
    assert {led for _, led in found} == {fulfilment.style == ORCHESTRATION}


def test_a_cancellation_is_led_and_yet_not_marked(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.order("GONE")
    fulfilment.settle()
    fulfilment.cancel("GONE")
    fulfilment.settle()

    found = rows(MARKS, [OF_A_CANCELLATION])

    assert {type_ for type_, _ in found} == set(OF_A_CANCELLATION)
    assert not any(led for _, led in found)
