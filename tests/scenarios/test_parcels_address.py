"""F08 for orders in parcels: a parcel waits for nothing, and what is asked for after a correction goes there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orders import commands
from orders.commands import AddressFixed, AddressInUse
from orders.models import FulfilmentOrder
from orders.parcelling.commands import ask_parcel
from sagas.clock import database_now
from shipping.carriers import get_carrier
from shipping.contract import BOOK_SHIPMENT
from shipping.models import Shipment
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import Fulfilment, in_business, sandbox

__all__ = ["sandbox"]


@pytest.fixture
def shop(transactional_db: None, sandbox: SandboxProcess) -> Iterator[Fulfilment]:
    """A shop in business with an order of two pieces that is confirmed. At the end the books have to balance."""
    with in_business(sandbox) as business:
        business.shelve(MUG=10)
        business.order_in_parcels(MUG=2)
        business.settle()
        yield business
        assert business.breaches() == []


@pytest.fixture
def lost(shop: Fulfilment) -> Fulfilment:
    """The carrier did not find the postcode of its first parcel."""
    shop.given(BOOK_SHIPMENT, "A-1/p1", refuses="shipping.address_unknown", field="postcode")
    parcel(shop, {1: 1})
    shop.settle()
    return shop


def parcel(shop: Fulfilment, pieces: dict[int, int]) -> FulfilmentOrder:
    return ask_parcel(shop.row().pk, pieces, actor="ada", reason="it is here", now=database_now())


def correct(shop: Fulfilment, postcode: str = "10115") -> commands.AddressCorrection:
    return commands.correct_address(
        shop.row().pk, {"postcode": postcode}, actor="ada", reason="the customer said so", now=database_now()
    )


def test_f08_a_parcel_with_a_wrong_address_is_given_up_and_its_order_asks_for_the_customer(
    lost: Fulfilment,
) -> None:
    order, given_up = lost.row(), FulfilmentOrder.objects.get()

    assert (given_up.state, given_up.code) == ("given_up", "shipping.address_unknown")
    assert (order.state, order.on_hold, order.hold_reason, order.hold_owner) == (
        "confirmed", True, "shipping.address_to_correct", "support",
    )  # fmt: skip
    assert Shipment.objects.get().state == "label_failed"
    assert lost.effects() == {"holds": 1}


def test_f08_after_the_correction_its_pieces_go_to_the_corrected_address(lost: Fulfilment) -> None:
    answer = correct(lost)

    assert (answer.asked_again, lost.row().on_hold) == (False, False)
    parcel(lost, {1: 2})
    lost.settle()
    bought = Shipment.objects.exclude(state="label_failed").get()
    label = get_carrier().label(bought.carrier_id)
    assert b"10115" in label.content  # type: ignore[union-attr]
    assert (lost.effects("A-1/p2")["labels"], lost.effects()["captures"]) == (1, 1)


def test_f08_a_parcel_that_is_under_way_is_waited_for(shop: Fulfilment) -> None:
    parcel(shop, {1: 1})

    with pytest.raises(AddressInUse, match="parcel 1"):
        correct(shop)

    shop.settle()
    correct(shop)
    assert FulfilmentOrder.objects.get().state == "ready"


def test_f08_an_order_of_which_everything_has_its_label_keeps_its_address(shop: Fulfilment) -> None:
    parcel(shop, {1: 2})
    shop.settle()

    with pytest.raises(AddressFixed, match="has its label"):
        correct(shop)


def test_f08_an_order_in_parcels_may_be_corrected_before_it_is_confirmed(shop: Fulfilment) -> None:
    shop.order_in_parcels("A-2", MUG=1)

    commands.correct_address(
        shop.row("A-2").pk, {"postcode": "10115"}, actor="ada", reason="a slip", now=database_now()
    )

    shop.settle()
    assert shop.row("A-2").state == "confirmed"
