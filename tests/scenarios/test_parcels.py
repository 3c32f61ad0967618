"""Orders in parcels through the whole house: confirmed with their money held, shipped and paid parcel by parcel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orders import commands
from orders.aggregate import InParcels
from orders.giving_back.commands import apply_credit_notes
from orders.refunding.commands import ask_refund
from orders.refunding.rules import Wanted
from sagas.clock import database_now
from sagas.models import Saga
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import Ends, Fulfilment, in_business, sandbox

__all__ = ["sandbox"]

IN_PARCELS = "orders.fulfil_in_parcels"


@pytest.fixture
def shop(transactional_db: None, sandbox: SandboxProcess) -> Iterator[Fulfilment]:
    """A shop in business with a full shelf, led by the engine. At the end of the test the books have to balance."""
    with in_business(sandbox) as business:
        business.shelve(MUG=10, TEA=10)
        yield business
        assert business.breaches() == []


def test_an_order_in_parcels_is_confirmed_with_its_money_held_and_nothing_bought(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=2, TEA=1)

    shop.settle()

    assert shop.ends() == Ends("confirmed", "authorized", "allocated", None)
    assert shop.story(definition=IN_PARCELS) == [
        "place_order", "authorize_payment", "reserve_stock", "confirm_order",
    ]  # fmt: skip
    assert shop.effects() == {"holds": 1}
    assert (shop.payment().authorized_minor, shop.payment().captured_minor) == (1500, 0)


def test_its_hold_can_be_captured_several_times(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=2)
    shop.settle()

    intent = shop.sandbox.control("GET", f"/v1/payment_intents/{shop.payment().provider_id}")

    assert intent["payment_method_options"] == {"card": {"request_multicapture": "if_available"}}


def test_an_order_in_parcels_that_is_declined_gives_everything_back(shop: Fulfilment) -> None:
    shop.given("payments.authorize_payment", "A-1", refuses="lost_card")
    shop.order_in_parcels(MUG=2)

    shop.settle()

    assert shop.ends() == Ends("rejected", "declined", None, None)
    assert shop.stock() == (10, 0, 0)


def test_an_order_in_parcels_whose_goods_are_missing_lets_the_hold_go(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=11)

    shop.settle()

    assert shop.ends()[:2] == ("rejected", "voided")
    assert shop.effects() == {"holds": 1, "voids": 1}


def test_an_order_in_parcels_that_is_cancelled_early_is_given_back(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=2)
    shop.cancel()

    shop.settle()

    assert shop.row().state == "cancelled"
    assert shop.stock() == (10, 0, 0)
    assert shop.effects() == {}


def test_once_it_is_confirmed_no_cancellation_takes_it_as_a_whole(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=2)
    shop.settle()

    with pytest.raises(InParcels):
        commands.cancel_order(shop.row().pk, actor="shop", reason="changed my mind", now=database_now())

    assert shop.ends() == Ends("confirmed", "authorized", "allocated", None)


def test_a_credit_note_of_an_order_in_parcels_waits_and_stops_no_other(shop: Fulfilment) -> None:
    shop.order_in_parcels("A-1", MUG=2)
    shop.order("A-2", MUG=2)
    shop.settle()
    shop.credit("A-1", kind="cancellation", amount_minor=500, MUG=1)
    shop.credit("A-2", kind="cancellation", amount_minor=500, MUG=1)

    apply_credit_notes(now=database_now())
    shop.settle()

    assert list(
        Saga.objects.filter(definition="orders.cancel_fulfilment").values_list("search_key", flat=True)
    ) == ["A-2"]
    assert shop.ends("A-1") == Ends("confirmed", "authorized", "allocated", None)


def test_nothing_of_it_is_refunded_while_shares_may_still_be_taken(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=2)
    shop.settle()

    with pytest.raises(InParcels):
        ask_refund(shop.row().pk, Wanted(whole=True), actor="bob", reason="crack", now=database_now())
