"""The staff's page of an order's parcels."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from orders import commands
from orders.models import FulfilmentOrder, Order
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.log import read
from sagas.models import Saga
from tests.orders.factories import a_line, an_order
from tests.orders.giving_back.house import House
from tests.orders.refunding.test_pages import signed_in, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(house: House) -> Order:
    """Two mugs of 5.00 in parcels, confirmed."""
    house.stock(MUG=5)
    sent = an_order(
        shop_id=house.shop.pk, lines=[a_line(sku="MUG", quantity=2)], charges=[], ship_in_parcels=True
    )
    placed = commands.place_order(sent, now=database_now())
    house.settle()
    return Order.objects.get(pk=placed.order_id)


@pytest.fixture
def ada(order: Order) -> Client:
    return signed_in("ada", "ship_parcel", "view_order")


def page_of(order: Order) -> str:
    return reverse("parcels:order", args=[order.pk])


def send(client: Client, order: Order, **fields: Any) -> Any:
    sent = {"request_id": str(uuid7()), "reason": "it has come in", **fields}
    return client.post(page_of(order), sent, follow=True)


def test_a_parcel_is_asked_for_with_a_name_and_a_reason(house: House, order: Order, ada: Client) -> None:
    response = send(ada, order, pieces_1="1")
    house.settle()

    parcel = FulfilmentOrder.objects.get()
    assert "Parcel 1 is on its way to the carrier. It takes 5.00 EUR." in text(response)
    assert (parcel.state, parcel.pieces, parcel.asked_by, parcel.reason) == (
        "ready",
        1,
        "ada",
        "it has come in",
    )
    asked = read(parcel.pk)[0]
    assert (asked.metadata["actor"], asked.metadata["reason"]) == ("ada", "it has come in")


def test_the_page_shows_what_became_of_each_parcel_and_what_is_free(
    house: House, order: Order, ada: Client
) -> None:
    send(ada, order, pieces_1="1")
    house.settle()

    shown = text(ada.get(page_of(order)))

    assert "1 MUG 5.00 EUR ready ada it has come in" in shown
    assert "1 MUG A thing 2 1" in shown


def test_without_pieces_everything_that_is_free_is_shipped(house: House, order: Order, ada: Client) -> None:
    send(ada, order)

    assert FulfilmentOrder.objects.get().pieces == 2
    assert "Nothing to ship" in text(ada.get(page_of(order)))


def test_more_pieces_than_are_free_are_not_taken(order: Order, ada: Client) -> None:
    response = send(ada, order, pieces_1="3")

    assert response.status_code == 400
    assert FulfilmentOrder.objects.count() == 0


def test_a_form_that_is_sent_twice_asks_once(order: Order, ada: Client) -> None:
    form = {"request_id": str(uuid7()), "pieces_1": "1"}

    send(ada, order, **form)
    send(ada, order, **form)

    assert FulfilmentOrder.objects.count() == 1


def test_what_an_order_on_hold_waits_for_is_said_and_nothing_is_shipped(order: Order, ada: Client) -> None:
    commands.flag_orders({order.pk: "parcel 1: payments.capture_failed"}, on_hold=True, now=database_now())

    response = send(ada, order, pieces_1="1")

    assert response.status_code == 409
    assert "payments.capture_failed" in text(response)
    assert FulfilmentOrder.objects.count() == 0


def test_who_may_only_look_sees_no_form_and_can_send_none(order: Order) -> None:
    bob = signed_in("bob", "view_fulfilmentorder")

    assert "Pieces to ship" not in text(bob.get(page_of(order)))
    assert send(bob, order, pieces_1="1").status_code == 403
    assert signed_in("eve").get(page_of(order)).status_code == 403
    assert FulfilmentOrder.objects.count() == 0


def test_an_order_that_is_shipped_whole_has_no_such_page(house: House, ada: Client) -> None:
    whole = house.fulfilled("A-9", MUG=1)

    assert ada.get(page_of(whole)).status_code == 404


def test_the_orders_own_page_leads_to_its_parcels(house: House, order: Order, ada: Client) -> None:
    whole = house.fulfilled("A-9", MUG=1)

    shown = ada.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
    other = ada.get(reverse("admin:orders_order_change", args=[whole.pk])).content.decode()

    assert page_of(order) in shown
    assert page_of(whole) not in other


def test_a_parcel_is_taken_back_with_a_name_and_a_reason(house: House, order: Order, ada: Client) -> None:
    send(ada, order, pieces_1="1")
    house.settle()
    parcel = FulfilmentOrder.objects.get()
    where = reverse("parcels:cancel", args=[order.pk, parcel.pk])

    nameless = ada.post(where, {"reason": " "})
    done = ada.post(where, {"reason": "broken in the house"}, follow=True)
    house.settle()
    again = ada.post(where, {"reason": "broken in the house"})

    parcel.refresh_from_db()
    asked = read(parcel.pk)[2]
    assert (nameless.status_code, done.status_code, again.status_code) == (400, 200, 409)
    assert "is being given back" in text(done)
    assert parcel.state == "cancelled"
    assert (asked.metadata["actor"], asked.metadata["reason"]) == ("ada", "broken in the house")
    assert "1 MUG A thing 2 1" in text(ada.get(page_of(order)))


def test_who_may_only_look_takes_nothing_back(house: House, order: Order, ada: Client) -> None:
    send(ada, order, pieces_1="1")
    house.settle()
    parcel = FulfilmentOrder.objects.get()
    bob = signed_in("bob", "view_fulfilmentorder")

    answer = bob.post(reverse("parcels:cancel", args=[order.pk, parcel.pk]), {"reason": "no"})

    assert answer.status_code == 403
    assert "Take back" not in text(bob.get(page_of(order)))
    parcel.refresh_from_db()
    assert parcel.state == "ready"


def test_pieces_that_were_in_no_parcel_are_called_so(house: House, order: Order, ada: Client) -> None:
    send(ada, order, pieces_1="1")
    house.settle()
    commands.cancel_order(order.pk, actor="shop", reason="enough", now=database_now())
    house.settle()

    shown = text(ada.get(page_of(order)))

    assert "1 MUG 5.00 EUR cancelled ada it has come in" in shown
    assert "1 MUG 5.00 EUR cancelled pieces that were in no parcel shop enough" in shown
    labels = Saga.objects.filter(definition="orders.cancel_parcel").values_list("label", flat=True)
    assert sorted(labels) == [
        f"Cancel parcel 1 of order {order.external_reference}",
        f"Cancel pieces of order {order.external_reference}",
    ]
