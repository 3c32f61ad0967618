"""Goods and parcels through whole sagas: shipped and paid, or on the shelf again with no label left."""

from __future__ import annotations

import pytest

from sagas.clock import database_now
from shipping.commands import deliver_parcels, pick_up
from tests.scenarios.house import House


def test_an_order_is_paid_shipped_and_delivered(house: House) -> None:
    house.receive(MUG=10)
    house.order("A-1", MUG=3)

    house.settle()
    assert house.ends("A-1") == ("confirmed", "allocated", "label_bought")
    assert house.stock("MUG") == (10, 0, 3)
    pick_up(house.carrier, now=database_now())
    house.settle()
    assert house.ends("A-1") == ("processing", "consumed", "handed_over")
    deliver_parcels(house.carrier, now=database_now())
    house.settle()

    assert house.ends("A-1") == ("completed", "consumed", "delivered")
    assert house.stock("MUG") == (7, 0, 0)
    assert house.carrier.effects("A-1") == {"labels": 1, "pickups": 1, "deliveries": 1}
    assert house.gateway.effects("A-1")["captures"] == 1


def test_f36_an_order_without_stock_is_rejected_and_its_authorization_voided(house: House) -> None:
    house.receive(MUG=2)
    house.order("A-1", MUG=3)

    house.settle()

    assert house.ends("A-1") == ("rejected", None, None)
    assert house.saga("A-1").cause_code == "inventory.out_of_stock"
    assert house.stock("MUG") == (2, 0, 0)
    assert "captures" not in house.gateway.effects("A-1")
    assert house.carrier.effects("A-1") == {}


def test_a_country_not_served_puts_the_goods_back(house: House) -> None:
    house.receive(MUG=10)
    house.carrier.script("book", "A-1", "refuse", code="country_not_served")
    house.order("A-1", MUG=3)

    house.settle()

    assert house.ends("A-1") == ("rejected", "released", "label_failed")
    assert house.saga("A-1").cause_code == "shipping.country_not_served"
    assert house.stock("MUG") == (10, 0, 0)
    assert "captures" not in house.gateway.effects("A-1")


@pytest.mark.parametrize("trouble", ["do_then_drop", "drop", "do_then_5xx", "unavailable", "rate_limit"])
def test_f47_whatever_is_lost_at_the_carrier_there_is_one_paid_label(house: House, trouble: str) -> None:
    house.receive(MUG=10)
    house.carrier.script("book", "A-1", trouble)
    house.order("A-1", MUG=3)

    house.settle()

    assert house.ends("A-1") == ("confirmed", "allocated", "label_bought")
    assert house.carrier.effects("A-1") == {"labels": 1}


@pytest.mark.parametrize("trouble", [None, "do_then_drop", "drop", "do_then_5xx", "unavailable"])
def test_a_failed_capture_gives_label_and_goods_back(house: House, trouble: str | None) -> None:
    house.receive(MUG=10)
    house.gateway.script("capture", "A-1", "decline", code="capture_failed")
    if trouble:
        house.carrier.script("cancel_shipment", "A-1", trouble)
    house.order("A-1", MUG=3)

    house.settle()

    assert house.ends("A-1") == ("rejected", "released", "voided")
    assert house.stock("MUG") == (10, 0, 0)
    assert house.carrier.effects("A-1") == {"labels": 1, "cancellations": 1}


def test_f49_a_cancelled_confirmed_order_is_given_back_whole(house: House) -> None:
    house.receive(MUG=10)
    house.order("A-1", MUG=3)
    house.settle()

    house.cancel("A-1")
    house.settle()

    assert house.ends("A-1") == ("cancelled", "released", "voided")
    assert house.stock("MUG") == (10, 0, 0)
    assert house.gateway.effects("A-1")["refunds"] == 1
    assert pick_up(house.carrier, now=database_now()).asked == 0


def test_f37_orders_for_more_than_there_is_end_as_exactly_as_many_as_there_were(house: House) -> None:
    house.receive(MUG=7)
    references = [f"A-{n}" for n in range(20)]
    for reference in references:
        house.order(reference, MUG=1)

    house.settle()

    ends = [house.ends(reference) for reference in references]
    assert ends.count(("confirmed", "allocated", "label_bought")) == 7
    assert ends.count(("rejected", None, None)) == 13
    assert house.stock("MUG") == (7, 0, 7)
