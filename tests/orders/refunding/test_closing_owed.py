"""A request that is owed with no refund behind it is ended by a person; one that waits for a bank says so."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from orders.models import Order, RefundRequest
from orders.refunding.commands import RefundNotFound
from orders.refunding.ending import NotOwedByNobody, close_owed
from orders.refunding.requests import note_refused
from payments.loops import ask_disputes
from payments.models import Payment, Refund
from sagas import operate
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.log import read
from sagas.operate import ReasonMissing
from tests.orders.giving_back.house import House
from tests.orders.refunding.asking import fails, part, stands
from tests.orders.refunding.test_pages import signed_in, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(house: House) -> Order:
    return house.fulfilled(MUG=2, TEA=1)


@pytest.fixture
def ada(order: Order) -> Client:
    return signed_in("ada", "approve_refund", "view_refundrequest", "view_dispute")


def waiting(house: House, order: Order) -> RefundRequest:
    """A refund of a payment that the customer's bank disputes."""
    payment = Payment.objects.get(order_id=order.pk)
    house.gateway.dispute(payment.provider_id, "dp_1")
    ask_disputes(now=database_now())
    request = part(order, 500)
    house.settle()
    return request


def skipped(house: House, order: Order) -> RefundRequest:
    """The same, whose step a person has skipped."""
    request = waiting(house, order)
    skip(house, request)
    return request


def skip(house: House, request: RefundRequest) -> None:
    """A person skips the step that was to pay it."""
    assert request.saga_id is not None
    operate.skip_step(
        request.saga_id, "payments.refund_payment", {}, actor="eve", reason="paid in cash", now=database_now()
    )
    house.settle()


def close(request: RefundRequest, actor: str = "ada", reason: str = "paid in cash") -> RefundRequest:
    return close_owed(request.pk, actor=actor, reason=reason, now=database_now())


def test_what_waits_for_a_bank_says_so_on_its_page(house: House, order: Order, ada: Client) -> None:
    request = waiting(house, order)

    page = text(ada.get(reverse("refunds:refund", args=[request.pk])))

    assert stands(request)[0] == "running"
    assert "The customer’s bank disputes the payment" in page
    assert reverse("money:disputes") in ada.get(reverse("refunds:refund", args=[request.pk])).content.decode()


def test_a_person_ends_it_once_with_a_reason(house: House, order: Order) -> None:
    request = skipped(house, order)
    owed = stands(request)

    close(request)

    request.refresh_from_db()
    told = read(request.pk)[-1]
    order.refresh_from_db()
    assert (owed, stands(request)) == (("owed", 0, 0, 500), ("closed", 0, 0, 0))
    assert (request.dropped_minor, request.closed_by, request.closed_reason) == (500, "ada", "paid in cash")
    assert (told.type, told.metadata["actor"], told.event.to_data()["dropped_minor"]) == (
        "orders.RefundClosed",
        "ada",
        500,
    )
    assert order.refunded_minor == 500
    with pytest.raises(NotOwedByNobody, match="closed"):
        close(request)


def test_the_page_offers_it_and_the_list_leads_there(house: House, order: Order, ada: Client) -> None:
    request = skipped(house, order)
    address = reverse("refunds:refund", args=[request.pk])

    listed = text(ada.get(reverse("refunds:page")))
    shown = ada.get(address)
    empty = ada.post(reverse("refunds:close", args=[request.pk]), {"reason": ""})
    done = ada.post(reverse("refunds:close", args=[request.pk]), {"reason": "paid in cash"}, follow=True)
    again = ada.post(reverse("refunds:close", args=[request.pk]), {"reason": "paid in cash"})

    assert "Close it: no refund stands behind it" in listed
    assert 'value="Close it"' in shown.content.decode()
    assert (empty.status_code, again.status_code) == (400, 409)
    assert "ended by ada: paid in cash" in text(done)
    assert stands(request)[0] == "closed"


def test_f78_who_may_only_ask_closes_nothing(house: House, order: Order) -> None:
    request = skipped(house, order)
    bob = signed_in("bob", "ask_refund")

    shown = bob.get(reverse("refunds:refund", args=[request.pk])).content.decode()
    forced = bob.post(reverse("refunds:close", args=[request.pk]), {"reason": "me"})

    assert ('value="Close it"' in shown, forced.status_code) == (False, 403)
    assert stands(request)[0] == "owed"


def test_what_the_provider_could_not_pay_is_repaid_and_not_closed(house: House, order: Order) -> None:
    request = fails(house, order)
    skip(house, request)

    with pytest.raises(NotOwedByNobody, match="owed"):
        close(request)

    assert stands(request)[0] == "owed"
    assert Refund.objects.get().state == "failed"


@pytest.mark.parametrize(("actor", "reason"), [(" ", "r"), ("ada", "")])
def test_it_needs_a_name_and_a_reason(house: House, order: Order, actor: str, reason: str) -> None:
    request = skipped(house, order)

    with pytest.raises(ReasonMissing):
        close(request, actor, reason)

    assert stands(request)[0] == "owed"


def test_a_request_nobody_has_heard_of(db: None) -> None:
    with pytest.raises(RefundNotFound):
        close(RefundRequest(pk=uuid7()))


@pytest.mark.parametrize(("cut", "state", "owed"), [(500, "refused", 0), (200, "owed", 300)])
def test_what_a_bank_has_taken_of_what_came_back_is_owed_no_more_even_if_that_is_heard_first(
    house: House, order: Order, cut: int, state: str, owed: int
) -> None:
    request = part(order, 500)
    house.settle()
    request.refresh_from_db()
    assert request.saga_id is not None

    with transaction.atomic():
        note_refused({request.saga_id: cut}, now=database_now())

    request.refresh_from_db()
    assert (request.state, request.owed_minor, request.dropped_minor) == (state, owed, cut)
    assert (request.refunded_minor, request.returned_at is not None) == (0, True)
