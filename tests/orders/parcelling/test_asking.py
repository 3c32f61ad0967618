"""Asking for parcels and cancelling what is left, as statements and refusals."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import commands
from orders.models import FulfilmentOrder, Order
from orders.parcelling.cancelling import NoSuchParcel
from orders.parcelling.commands import ask_parcel
from sagas.clock import database_now
from sagas.ids import uuid7
from tests.orders.factories import a_line, an_order
from tests.orders.giving_back.house import House

pytestmark = pytest.mark.django_db


def in_parcels(house: House, pieces: int) -> Order:
    """An order in parcels that is confirmed."""
    sent = an_order(
        shop_id=house.shop.pk, lines=[a_line(sku="MUG", quantity=pieces)], charges=[], ship_in_parcels=True
    )
    placed = commands.place_order(sent, now=database_now())
    house.settle()
    return Order.objects.get(pk=placed.order_id)


def test_what_is_left_of_an_order_is_cancelled_in_as_many_statements_however_many_parcels_it_has(
    house: House,
) -> None:
    house.stock(MUG=20)
    taken = []

    for parcels in (2, 6):
        order = in_parcels(house, parcels + 1)
        for _ in range(parcels):
            ask_parcel(order.pk, {1: 1}, actor="ada", reason="it is here", now=database_now())
            house.settle()
        with CaptureQueriesContext(connection) as said:
            commands.cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())
        taken.append(len(said))
        house.settle()
        assert house.state(order) == "cancelled"
        assert set(order.fulfilment_orders.values_list("state", flat=True)) == {"cancelled"}

    assert taken[0] == taken[1] < 20


def test_a_form_of_another_order_asks_for_nothing(house: House) -> None:
    house.stock(MUG=4)
    first, second = in_parcels(house, 2), in_parcels(house, 2)
    form = uuid7()
    ask_parcel(first.pk, {1: 1}, actor="ada", reason="here", now=database_now(), request_id=form)

    with pytest.raises(NoSuchParcel):
        ask_parcel(second.pk, {1: 1}, actor="ada", reason="here", now=database_now(), request_id=form)

    assert FulfilmentOrder.objects.get().order_id == first.pk
