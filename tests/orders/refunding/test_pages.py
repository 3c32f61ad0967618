"""The staff's pages: ask for a refund, decide as a second person, and record what was paid another way."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from orders.models import Order, RefundRequest
from payments.models import Refund
from sagas.ids import uuid7
from sagas.log import read
from tests.orders.giving_back.house import House, only_saga
from tests.orders.refunding.asking import fails, limits, stands, whole

pytestmark = pytest.mark.django_db


def text(response: Any) -> str:
    """What a page says."""
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(bare))


def signed_in(name: str, *codes: str) -> Client:
    """A member of staff with these permissions."""
    user = User.objects.create_user(name, f"{name}@waybill.invalid", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    client = Client()
    client.force_login(user)
    return client


def page_of(order: Order) -> str:
    return reverse("refunds:order", args=[order.pk])


def send(client: Client, order: Order, **fields: Any) -> Any:
    """Fill in the form of an order."""
    sent = {"request_id": str(uuid7()), "reason": "the mug had a crack", **fields}
    return client.post(page_of(order), sent, follow=True)


@pytest.fixture
def order(house: House) -> Order:
    return house.fulfilled(MUG=2, TEA=1)


@pytest.fixture
def bob(order: Order) -> Client:
    return signed_in("bob", "ask_refund")


@pytest.fixture
def ada(order: Order) -> Client:
    return signed_in("ada", "approve_refund", "view_refundrequest", "repay_refund", "view_refund")


@pytest.mark.parametrize(
    ("fields", "amount"),
    [
        ({"how": "whole"}, 1500),
        ({"how": "amount", "amount": "3.05"}, 305),
        ({"how": "lines", "pieces_1": "1", "pieces_2": "1"}, 1000),
    ],
)
def test_a_refund_is_asked_for_on_the_page_of_its_order(
    house: House, order: Order, bob: Client, fields: dict[str, str], amount: int
) -> None:
    response = send(bob, order, **fields)
    house.settle()

    assert f"{amount / 100:,.2f} GBP is being paid back." in text(response)
    request = RefundRequest.objects.get()
    assert stands(request) == ("paid", amount, 0, 0)
    assert (request.asked_by, request.reason) == ("bob", "the mug had a crack")


def test_the_form_shows_what_is_left_of_each_line(house: House, order: Order, bob: Client) -> None:
    send(bob, order, how="lines", pieces_1="2")
    house.settle()

    page = bob.get(page_of(order))

    assert "5.00 GBP may be refunded" in text(page)
    assert 'name="pieces_1"' not in page.content.decode()
    assert 'name="pieces_2"' in page.content.decode()


def test_a_form_that_is_sent_twice_asks_once(house: House, order: Order, bob: Client) -> None:
    once = str(uuid7())

    for _ in range(2):
        send(bob, order, how="amount", amount="1.00", request_id=once)
        house.settle()

    assert RefundRequest.objects.count() == 1
    assert house.refunded(order) == 100


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"how": "amount"}, "How much?"),
        ({"how": "amount", "amount": "0"}, "greater than or equal to 0.01"),
        ({"how": "amount", "amount": "1.005"}, "no more than 2 decimal places"),
        ({"how": "lines"}, "No pieces are named."),
        ({"how": "lines", "pieces_1": "3"}, "less than or equal to 2"),
        ({"how": "whole", "reason": ""}, "This field is required."),
    ],
)
def test_a_form_that_makes_no_sense_is_shown_again(
    order: Order, bob: Client, fields: dict[str, str], told: str
) -> None:
    response = send(bob, order, **fields)

    assert response.status_code == 400
    assert told in text(response)
    assert RefundRequest.objects.count() == 0


def test_f33_too_much_is_refused_with_what_is_left(order: Order, bob: Client) -> None:
    response = send(bob, order, how="amount", amount="15.01")

    assert response.status_code == 409
    assert "15.01 GBP is more than the 15.00 GBP that is left" in text(response)


def test_above_the_limit_it_waits_on_the_list_until_another_person_approves(
    house: House, order: Order, bob: Client, ada: Client
) -> None:
    with limits(GBP=100):
        told = send(bob, order, how="whole")
    request = RefundRequest.objects.get()
    address = reverse("refunds:refund", args=[request.pk])

    listed = text(ada.get(reverse("refunds:page")))
    done = ada.post(reverse("refunds:approve", args=[request.pk]), {"reason": "seen"}, follow=True)
    house.settle()

    assert "15.00 GBP: above 1.00 GBP of one order a second person decides." in text(told)
    assert re.search(r"A-1 15\.00 GBP bob the mug had a crack", listed)
    assert "It is being paid back." in text(done)
    assert "by ada" in text(ada.get(address))
    assert stands(request) == ("paid", 1500, 0, 0)


def test_who_asked_sees_no_button_to_approve_and_is_refused_anyway(order: Order) -> None:
    both = signed_in("both", "ask_refund", "approve_refund")
    with limits(0):
        send(both, order, how="whole")
    request = RefundRequest.objects.get()

    page = both.get(reverse("refunds:refund", args=[request.pk]))
    forced = both.post(reverse("refunds:approve", args=[request.pk]), {"reason": "me"})

    assert 'value="Approve"' not in page.content.decode()
    assert 'value="Decline"' in page.content.decode()
    assert forced.status_code == 409
    assert stands(request)[0] == "awaiting_approval"


def test_a_refund_is_declined_with_a_reason(order: Order, ada: Client) -> None:
    with limits(0):
        request = whole(order)
    address = reverse("refunds:decline", args=[request.pk])

    empty = ada.post(address, {"reason": ""})
    done = ada.post(address, {"reason": "no crack to be seen"}, follow=True)
    again = ada.post(address, {"reason": "no crack to be seen"})

    assert (empty.status_code, again.status_code) == (400, 409)
    assert "Declined by ada" in text(done)
    assert stands(request)[0] == "declined"
    assert read(request.pk)[-1].metadata["actor"] == "ada"


def test_who_asked_takes_it_back_without_the_right_to_decide_on_others(order: Order, bob: Client) -> None:
    with limits(0):
        own = whole(order, actor="bob")
        seen = text(bob.get(reverse("refunds:refund", args=[own.pk])))
        taken_back = bob.post(
            reverse("refunds:decline", args=[own.pk]), {"reason": "my mistake"}, follow=True
        )
        other = whole(order, actor="carl")
    of_another = bob.get(reverse("refunds:refund", args=[other.pk]))
    refused = [
        bob.post(reverse(f"refunds:{act}", args=[other.pk]), {"reason": "x"}).status_code
        for act in ("approve", "decline")
    ]

    assert "You may take it back by declining it." in seen
    assert "Declined by bob" in text(taken_back)
    assert reverse("refunds:decline", args=[other.pk]) not in of_another.content.decode()
    assert (stands(own)[0], stands(other)[0], refused) == ("declined", "awaiting_approval", [403, 403])


def test_f31_what_is_owed_is_listed_and_paid_another_way_on_its_page(
    house: House, order: Order, ada: Client
) -> None:
    request = fails(house, order)
    refund = Refund.objects.get()

    listed = ada.get(reverse("refunds:page"))
    by_saga = ada.get(reverse("money:refund_of_saga", args=[only_saga(order.pk, "orders.refund_order").pk]))
    failed = text(ada.get(reverse("money:failed_refunds")))
    empty = ada.post(reverse("money:repay", args=[refund.pk]), {"reference": "", "reason": "x"})
    done = ada.post(
        reverse("money:repay", args=[refund.pk]), {"reference": "BT-1", "reason": "closed"}, follow=True
    )
    again = ada.post(reverse("money:repay", args=[refund.pk]), {"reference": "BT-2", "reason": "closed"})
    house.settle()

    assert "Try again or pay another way" in text(listed)
    assert by_saga.headers["Location"] == reverse("money:refund", args=[refund.pk])
    assert f"{order.external_reference}/refund-" in failed
    assert (empty.status_code, again.status_code) == (400, 409)
    assert "Recorded: it is owed no more." in text(done)
    assert "BT-1, recorded by ada" in text(ada.get(reverse("money:refund", args=[refund.pk])))
    assert stands(request) == ("paid", 1500, 0, 0)


def test_nobody_does_what_they_may_not(house: House, order: Order) -> None:
    nobody, viewer = signed_in("nobody"), signed_in("viewer", "view_refundrequest", "view_refund")
    with limits(0):
        request = whole(order)
    decide = [reverse(f"refunds:{act}", args=[request.pk]) for act in ("approve", "decline")]

    for client in (nobody, viewer):
        assert send(client, order, how="whole").status_code == 403
        assert [client.post(one, {"reason": "x"}).status_code for one in decide] == [403, 403]
        assert client.post(reverse("money:repay", args=[uuid7()]), {}).status_code == 403
    for address in (reverse("refunds:page"), page_of(order), reverse("money:failed_refunds")):
        assert (nobody.get(address).status_code, viewer.get(address).status_code) == (403, 200)
        assert Client().get(address).status_code == 302
    assert stands(request)[0] == "awaiting_approval"


def test_the_pages_are_linked_from_the_order_and_from_every_page(order: Order) -> None:
    User.objects.create_superuser("olga", "olga@waybill.invalid", "x")
    olga = Client()
    olga.force_login(User.objects.get(username="olga"))

    page = olga.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()

    assert f'href="{page_of(order)}"' in page
    assert f'href="{reverse("refunds:page")}"' in page


def test_a_failed_refund_is_linked_from_its_record(house: House, order: Order) -> None:
    fails(house, order)
    User.objects.create_superuser("olga", "olga@waybill.invalid", "x")
    olga, refund = Client(), Refund.objects.get()
    olga.force_login(User.objects.get(username="olga"))

    page = olga.get(reverse("admin:payments_refund_change", args=[refund.pk])).content.decode()

    assert f'href="{reverse("money:refund", args=[refund.pk])}"' in page
