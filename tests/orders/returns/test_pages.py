"""The staff's pages: open a return, say what came, decide on it line by line."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from orders.models import Order, Return
from sagas.clock import database_now, travel
from sagas.ids import uuid7
from sagas.log import read
from sagas.models import Saga
from tests.orders.giving_back.house import House
from tests.orders.refunding.test_pages import signed_in, text

pytestmark = pytest.mark.django_db

DAY = 86_400
FOUND = {"reason": "looked at", "accepted_1": "1", "rejected_1": "1", "restock_1": "0", "why_1": "worn"}


@pytest.fixture
def order(house: House) -> Order:
    """Two mugs and a tea, 5.00 GBP a piece, with the carrier."""
    order = house.fulfilled(MUG=2, TEA=1)
    house.hand_over()
    return order


@pytest.fixture
def bob(order: Order) -> Client:
    return signed_in("bob", "open_return")


@pytest.fixture
def ware(order: Order) -> Client:
    """Somebody of the warehouse."""
    return signed_in("ware", "receive_return", "inspect_return")


def ask(client: Client, order: Order, **fields: Any) -> Any:
    sent = {"return_id": str(uuid7()), "reason": "does not fit", **fields}
    return client.post(reverse("returns:order", args=[order.pk]), sent, follow=True)


def say(client: Client, what: str, **fields: Any) -> Any:
    """Send one of the forms of the only return."""
    return client.post(reverse(f"returns:{what}", args=[Return.objects.get().pk]), fields, follow=True)


def stands() -> tuple[str, int]:
    back = Return.objects.get()
    return back.state, back.refund_minor


def test_a_return_goes_from_desk_to_desk_until_it_is_paid(
    house: House, order: Order, bob: Client, ware: Client
) -> None:
    opened = ask(bob, order, pieces_1="2")
    assert "Return 1 waits for its goods until" in text(opened)
    assert "Received. It waits for its inspection." in text(
        say(ware, "receive", came_1="2", came_2="0", reason="on the ramp")
    )
    assert "Inspected." in text(say(ware, "inspect", **FOUND))
    house.settle()

    back = Return.objects.get()
    assert (stands(), back.origin, back.asked_by) == (("closed", 500), "staff", "bob")
    assert house.refunded(order) == 500
    page = text(ware.get(reverse("returns:return", args=[back.pk])))
    assert "5.00 GBP" in page
    assert "1 MUG 2 2 1 1 0 worn" in page
    told = [(e.type, e.metadata["actor"], e.metadata.get("reason", "")) for e in read(back.pk)]
    assert told == [
        ("orders.ReturnRequested", "bob", ""),
        ("orders.ReturnReceived", "ware", "on the ramp"),
        ("orders.ReturnInspected", "ware", "looked at"),
        ("orders.ReturnClosed", "system", ""),
    ]


def test_a_form_that_is_sent_twice_opens_one_return(order: Order, bob: Client) -> None:
    once = str(uuid7())

    for _ in range(2):
        ask(bob, order, pieces_1="1", return_id=once)

    assert Return.objects.count() == 1


def test_what_is_in_a_return_is_not_offered_again(order: Order, bob: Client) -> None:
    ask(bob, order, pieces_1="2")

    page = bob.get(reverse("returns:order", args=[order.pk])).content.decode()

    assert 'name="pieces_1"' not in page
    assert 'name="pieces_2"' in page


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "No pieces are named."),
        ({"pieces_1": "0"}, "No pieces are named."),
        ({"pieces_1": "3"}, "less than or equal to 2"),
        ({"pieces_1": "1", "reason": ""}, "This field is required."),
    ],
)
def test_a_form_that_makes_no_sense_is_shown_again(
    order: Order, bob: Client, fields: dict[str, str], told: str
) -> None:
    response = ask(bob, order, **fields)

    assert response.status_code == 400
    assert told in text(response)
    assert not Return.objects.exists()


@pytest.mark.parametrize(
    ("unexpected", "told"),
    [
        ("SHOE", "Not a SKU and a count"),
        ("SHOE x", "Not a SKU and a count"),
        ("SHOE 1\nSHOE 2", "named twice"),
        ("SHOE 0", "Not a number of pieces"),
        ("SHOE ²", "Not a SKU and a count"),
    ],
)
def test_unexpected_goods_are_named_with_a_count(
    order: Order, bob: Client, ware: Client, unexpected: str, told: str
) -> None:
    ask(bob, order, pieces_1="1")

    response = say(ware, "receive", came_1="1", came_2="0", unexpected=unexpected, reason="ramp")

    assert (response.status_code, stands()) == (400, ("requested", 0))
    assert told in text(response)


def test_unexpected_goods_are_shown_and_call_a_person(order: Order, bob: Client, ware: Client) -> None:
    ask(bob, order, pieces_1="1")

    response = say(ware, "receive", came_1="1", came_2="0", unexpected="RED SHOE 2\n", reason="ramp")

    assert "2 × RED SHOE" in text(response)
    order.refresh_from_db()
    assert order.attention_reason == "orders.return_unexpected_goods"


def test_an_inspection_that_leaves_pieces_out_is_refused_with_the_line(
    order: Order, bob: Client, ware: Client
) -> None:
    ask(bob, order, pieces_1="2")
    say(ware, "receive", came_1="2", came_2="0", reason="ramp")

    response = say(ware, "inspect", **FOUND | {"rejected_1": "0"})

    assert (response.status_code, stands()) == (409, ("received", 0))
    assert "line 1: 2 received, 1 accepted and 0 rejected" in text(response)


def test_after_the_time_only_who_may_lets_it_pass_and_with_a_reason(
    house: House, order: Order, bob: Client
) -> None:
    house.deliver()
    travel(31 * DAY)
    chief = signed_in("chief", "open_return", "open_late_return")

    refused = ask(bob, order, pieces_1="1", even_late="on")
    assert (refused.status_code, Return.objects.count()) == (409, 0)
    assert ask(chief, order, pieces_1="1").status_code == 409
    ask(chief, order, pieces_1="1", even_late="on")

    back = Return.objects.get()
    assert (back.late, back.asked_by, back.reason) == (True, "chief", "does not fit")


def test_a_return_is_withdrawn_before_its_goods_came_and_not_after(
    order: Order, bob: Client, ware: Client
) -> None:
    ask(bob, order, pieces_1="1")
    assert "Withdrawn." in text(say(bob, "withdraw", reason="keeps it"))
    assert stands() == ("withdrawn", 0)
    Return.objects.update(state="requested")
    say(ware, "receive", came_1="1", came_2="0", reason="ramp")

    response = say(bob, "withdraw", reason="keeps it")

    assert (response.status_code, stands()) == (409, ("received", 0))


def test_a_return_whose_saga_was_ended_by_hand_can_be_withdrawn_on_its_page(
    order: Order, bob: Client, ware: Client
) -> None:
    ask(bob, order, pieces_1="1")
    say(ware, "receive", came_1="1", came_2="0", reason="ramp")
    here = reverse("returns:return", args=[Return.objects.get().pk])
    before = text(bob.get(here))
    Saga.objects.filter(pk=Return.objects.get().saga_id).update(
        state="compensated", finished_at=database_now()
    )

    after = text(bob.get(here))
    say(bob, "withdraw", reason="settled by hand")

    assert "Nothing comes back after all." not in before
    assert "Nothing comes back after all." in after
    assert stands() == ("withdrawn", 0)


def test_the_list_shows_what_waits_for_an_inspection_first(order: Order, bob: Client, ware: Client) -> None:
    ask(bob, order, pieces_1="1")
    here, there = reverse("returns:page"), reverse("returns:page") + "?state=requested"
    assert "A-1" not in text(ware.get(here))
    assert "A-1" in text(ware.get(there))

    say(ware, "receive", came_1="1", came_2="0", reason="ramp")

    assert "A-1" in text(ware.get(here))
    assert "A-1" not in text(ware.get(there))
    assert ware.get(here + "?state=nonsense").status_code == 404
    assert ware.get(here + "?after=nonsense").status_code == 404


@pytest.mark.parametrize("what", ["receive", "inspect", "withdraw"])
def test_looking_is_not_acting(order: Order, bob: Client, what: str) -> None:
    ask(bob, order, pieces_1="1")
    guest = signed_in("guest", "view_return")

    assert guest.get(reverse("returns:return", args=[Return.objects.get().pk])).status_code == 200
    assert say(guest, what, reason="x").status_code == 403
    assert ask(guest, order, pieces_2="1").status_code == 403
    assert stands() == ("requested", 0)


def test_who_has_no_part_in_returns_sees_none(order: Order, bob: Client) -> None:
    ask(bob, order, pieces_1="1")
    stranger = signed_in("stranger")

    for name, args in (("page", []), ("order", [order.pk]), ("return", [Return.objects.get().pk])):
        assert stranger.get(reverse(f"returns:{name}", args=args)).status_code == 403
    assert Client().get(reverse("returns:page")).status_code == 302
    assert bob.get(reverse("returns:return", args=[uuid7()])).status_code == 404
    assert bob.get(reverse("returns:order", args=[uuid7()])).status_code == 404


def test_the_pages_are_linked_from_the_navigation_and_from_the_order(order: Order) -> None:
    bob = signed_in("rob", "view_return", "view_order")

    page = bob.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()

    assert f'href="{reverse("returns:page")}"' in page
    assert f'href="{reverse("returns:order", args=[order.pk])}"' in page
