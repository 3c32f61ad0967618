"""Shares in doubt through the whole house: slow, lost, contradicted, or given up by a person while nobody knows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from orders.models import FulfilmentOrder
from orders.parcelling.commands import ask_parcel
from payments.models import Capture
from sagas.clock import database_now
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import Fulfilment, in_business, sandbox

__all__ = ["sandbox"]

SHIP_PARCEL = "orders.ship_parcel"
CAPTURE_SHARE = "payments.capture_share"


@pytest.fixture
def shop(transactional_db: None, sandbox: SandboxProcess) -> Iterator[Fulfilment]:
    """A shop with one order of five mugs in parcels, confirmed. At the end of the test the books have to balance."""
    with in_business(sandbox) as business:
        business.shelve(MUG=10)
        business.order_in_parcels(MUG=5)
        business.settle()
        yield business
        assert business.breaches() == []


def parcel(shop: Fulfilment) -> FulfilmentOrder:
    """Somebody asks for a parcel with one mug."""
    return ask_parcel(shop.row().pk, {1: 1}, actor="ada", reason="it is here", now=database_now())


def parcels(shop: Fulfilment) -> list[str]:
    """How the parcels of the order stand."""
    found = FulfilmentOrder.objects.filter(order_id=shop.row().pk).order_by("number")
    return list(found.values_list("state", flat=True))


def shares() -> list[str]:
    """How the shares stand, in the order in which they were asked for."""
    return list(Capture.objects.order_by("id").values_list("state", flat=True))


def money(shop: Fulfilment) -> tuple[str, int, int]:
    """Where the payment stands, what is ours of it, and how many captures there were."""
    payment = shop.payment()
    return payment.state, payment.captured_minor, shop.effects().get("captures", 0)


def test_a_capture_that_the_provider_carries_out_late_is_done_once(shop: Fulfilment) -> None:
    shop.given("payments.capture_payment", "A-1", meets="delay", times=1, seconds=4, done_first=False)
    parcel(shop)

    shop.settle_now()  # we hang up after two seconds
    shop.settle(horizon=timedelta(seconds=1))  # and ask again, while the first request is at work
    between = money(shop)
    time.sleep(3)
    shop.settle()

    assert between == ("capturing", 0, 0)
    assert parcels(shop) == ["ready"]
    assert money(shop) == ("partly_captured", 500, 1)
