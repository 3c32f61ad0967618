"""Support staff correct an address on the order's page: with a reason, and only those who may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from orders import commands
from orders.commands import hold_for_address
from orders.models import Order
from sagas.clock import database_now
from sagas.definition import SagaNote
from sagas.ids import uuid7
from sagas.models import StoredEvent
from sagas.people import read_people
from shipping.contract import ADDRESS_TO_CORRECT
from tests.orders.factories import a_shop, an_order

pytestmark = pytest.mark.django_db
MakeUser = Callable[..., Client]


@pytest.fixture
def user() -> MakeUser:
    """A member of staff with these permissions, logged in."""

    def make(*permissions: str) -> Client:
        found = User.objects.create_user("kim", is_staff=True)
        found.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(found)
        return client

    return make


@pytest.fixture
def order() -> Order:
    shop = a_shop()
    request = an_order(
        shop_id=shop.pk, address={"country": "DE", "street": "Long Road 1", "postcode": "00000"}
    )
    return Order.objects.get(pk=commands.place_order(request, now=database_now()).order_id)


def page(order: Order) -> str:
    return f"/admin/orders/order/{order.pk}/address/"


def sent(**changes: str) -> dict[str, str]:
    return {"street": "Long Road 1", "postcode": "10115", "reason": "the customer called"} | changes


def address(order: Order) -> dict[str, str]:
    order.refresh_from_db()
    assert order.person_id is not None
    return read_people([order.person_id])[order.person_id].address


def test_the_order_leads_to_the_form_and_the_form_shows_the_address(user: MakeUser, order: Order) -> None:
    kim = user("view_order", "change_order")

    found = kim.get(f"/admin/orders/order/{order.pk}/change/")
    form = kim.get(page(order))

    assert page(order) in found.content.decode()
    assert 'value="Long Road 1"' in form.content.decode()
    assert "no-store" in form["Cache-Control"]


def test_an_order_that_is_past_it_does_not_lead_there(user: MakeUser, order: Order) -> None:
    Order.objects.update(state="confirmed")

    found = user("view_order", "change_order").get(f"/admin/orders/order/{order.pk}/change/")

    assert page(order) not in found.content.decode()


def test_a_correction_needs_a_reason_and_leaves_the_name_of_who_made_it(user: MakeUser, order: Order) -> None:
    kim = user("change_order", "view_order")

    without = kim.post(page(order), sent(reason=""))
    assert (without.status_code, address(order)["postcode"]) == (200, "00000")
    done = kim.post(page(order), sent(), follow=True)

    assert "Corrected: whatever is booked from now on goes there." in done.content.decode()
    assert address(order) == {"country": "DE", "street": "Long Road 1", "postcode": "10115"}
    told = StoredEvent.objects.get(type="orders.AddressCorrected")
    assert (told.metadata["actor"], told.metadata["reason"]) == ("kim", "the customer called")


def test_who_may_only_look_is_neither_led_there_nor_let_in(user: MakeUser, order: Order) -> None:
    kim = user("view_order")

    assert page(order) not in kim.get(f"/admin/orders/order/{order.pk}/change/").content.decode()
    assert kim.get(page(order)).status_code == 403
    assert kim.post(page(order), sent()).status_code == 403
    assert address(order)["postcode"] == "00000"


def test_who_is_not_staff_is_asked_to_log_in(order: Order) -> None:
    assert "/login/" in Client().get(page(order))["Location"]


def test_an_order_that_is_past_it_says_so(user: MakeUser, order: Order) -> None:
    Order.objects.update(state="confirmed")

    answer = user("change_order").post(page(order), sent())

    assert "orders.address_fixed" in answer.content.decode()
    assert address(order)["postcode"] == "00000"


def test_an_order_that_is_not_there_is_not_found(user: MakeUser) -> None:
    assert user("change_order").get(page(Order(id=uuid7()))).status_code == 404


# --- the hold ----------------------------------------------------------------------------------------------


def waits(order: Order, reason: str) -> None:
    note = SagaNote(uuid7(), order.shop_id, order.pk, order.external_reference, reason, "engine", {})
    hold_for_address([note], now=database_now())
    order.refresh_from_db()


def test_only_a_pending_order_that_waits_for_its_address_is_put_on_hold(order: Order) -> None:
    waits(order, ADDRESS_TO_CORRECT)
    assert not order.on_hold  # a draft
    Order.objects.update(state="pending")

    waits(order, "payments.requires_action")
    assert not order.on_hold
    waits(order, ADDRESS_TO_CORRECT)

    assert (order.on_hold, order.hold_reason, order.hold_owner) == (True, ADDRESS_TO_CORRECT, "support")


@pytest.mark.parametrize(("reason", "on_hold"), [(ADDRESS_TO_CORRECT, False), ("payment dispute", True)])
def test_a_correction_lifts_the_hold_that_was_put_for_it_and_no_other(
    order: Order, reason: str, on_hold: bool
) -> None:
    Order.objects.update(state="pending")
    commands.call_for({order.pk: reason}, hold=True, now=database_now())

    kept: Any = commands.correct_address(
        order.pk, {"postcode": "10115"}, actor="kim", reason="called", now=database_now()
    )

    order.refresh_from_db()
    assert (order.on_hold, order.needs_attention) == (on_hold, on_hold)
    assert kept.state == "pending"
