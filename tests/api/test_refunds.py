"""Refunds over the API: asked for once, decided under the order's lock, seen by their shop alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import override_settings

from orders.commands import create_token
from orders.models import Order, RefundRequest
from orders.refunding.commands import ask_refund, decline_refund
from orders.refunding.rules import Wanted
from payments.gateways import use_gateway
from payments.gateways.fake import FakeGateway
from payments.models import Payment
from sagas.clock import database_now, travel
from shipping.carriers import use_carrier
from shipping.carriers.fake import FakeCarrier
from tests.api.counter import ORDERS, Counter, problem
from tests.orders.giving_back.house import House
from tests.payments.test_races import at_once
from tests.payments.test_repaying import result_of


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    """Every app at work on fakes of the gateway and the carrier."""
    gateway, carrier = FakeGateway(), FakeCarrier()
    use_gateway(gateway)
    use_carrier(carrier)
    travel(0)
    yield House(gateway, carrier)
    travel(0)
    use_gateway(None)
    use_carrier(None)


@pytest.fixture
def order(house: House) -> Order:
    """Two mugs and a tea, 15.00 GBP, paid and confirmed."""
    return house.fulfilled(MUG=2, TEA=1)


@pytest.fixture
def till(house: House, order: Order) -> Counter:
    """The shop whose order it is."""
    del order
    return Counter(house.shop, create_token(house.shop, name="till", now=database_now()))


def refunds(order: Order, request: str = "") -> str:
    """Where refunds of an order are asked for and seen."""
    return f"{ORDERS}/{order.pk}/refunds" + (f"/{request}" if request else "")


def ask(till: Counter, order: Order, *, key: str = "", **body: Any) -> Any:
    return till.post(refunds(order), {"reason": "the mug had a crack", **body}, key=key)


def test_a_refund_is_taken_and_then_paid(house: House, order: Order, till: Counter) -> None:
    response = ask(till, order, whole=True)
    house.settle()

    taken, now = response.json(), till.get(response["Location"]).json()
    assert response.status_code == 202
    assert response["Location"] == refunds(order, taken["id"])
    assert (taken["state"], taken["amount_minor"], taken["lines"]) == ("running", 1500, [])
    assert (taken["order_id"], taken["currency"]) == (str(order.pk), "GBP")
    assert (now["state"], now["refunded_minor"], now["owed_minor"]) == ("paid", 1500, 0)
    assert now["ended_at"] is not None
    assert till.get(f"{ORDERS}/{order.pk}").json()["refunded_minor"] == 1500


def test_pieces_are_worth_their_share_and_are_counted_on_their_line(
    house: House, order: Order, till: Counter
) -> None:
    taken = ask(till, order, lines=[{"position": 1, "quantity": 1}]).json()
    house.settle()

    first = till.get(f"{ORDERS}/{order.pk}").json()["lines"][0]
    assert taken["lines"] == [{"position": 1, "sku": "MUG", "quantity": 1, "amount_minor": 500}]
    assert (first["refunded_quantity"], first["refunded_minor"], first["returned_quantity"]) == (1, 500, 0)


def test_a_repeat_under_one_key_is_one_refund(house: House, order: Order, till: Counter) -> None:
    key = str(uuid4())

    first = ask(till, order, key=key, amount_minor=200)
    again = ask(till, order, key=key, amount_minor=200)
    house.settle()

    assert again["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert RefundRequest.objects.count() == 1
    assert house.refunded(order) == 200


def test_a_large_one_waits_and_a_declined_one_says_why(order: Order, till: Counter) -> None:
    with override_settings(WAYBILL=replace(django_settings.WAYBILL, refund_limits={"GBP": 100})):
        waits = ask(till, order, amount_minor=101).json()
    decline_refund(waits["id"], actor="ada", reason="no crack to be seen", now=database_now())

    now = till.get(refunds(order, waits["id"])).json()

    assert waits["state"] == "awaiting_approval"
    assert (now["state"], now["decision_reason"]) == ("declined", "no crack to be seen")


def test_f33_more_than_is_left_is_refused_with_what_is_left(
    house: House, order: Order, till: Counter
) -> None:
    ask(till, order, amount_minor=1000)
    house.settle()

    response = ask(till, order, amount_minor=501)

    assert problem(response) == (409, "orders.refund_too_large")
    assert response.json()["left_minor"] == 500
    assert RefundRequest.objects.count() == 1


def test_an_order_that_is_held_is_refused_until_it_is_free(house: House, order: Order, till: Counter) -> None:
    ask(till, order, amount_minor=100)

    held = ask(till, order, amount_minor=100)
    house.settle()
    free = ask(till, order, amount_minor=100)

    assert problem(held) == (409, "orders.order_locked")
    assert free.status_code == 202


def test_an_order_that_was_never_paid_has_nothing_to_refund(
    house: House, order: Order, till: Counter
) -> None:
    del order
    draft = house.order("A-2", MUG=1)

    assert problem(ask(till, draft, whole=True)) == (409, "illegal_move")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"whole": True, "amount_minor": 5}, ""),
        ({"whole": False}, ""),
        ({"amount_minor": 0}, "/amount_minor"),
        ({"amount_minor": "5"}, "/amount_minor"),
        ({"amount_minor": 5, "reason": ""}, "/reason"),
        ({"lines": [{"position": 1, "quantity": 0}]}, "/lines/0/quantity"),
        ({"lines": [{"position": 1, "quantity": 1}] * 2}, "/lines"),
        ({"amount_minor": 5, "currency": "USD"}, "/currency"),
    ],
)
def test_what_is_not_as_described_is_named(
    order: Order, till: Counter, body: dict[str, Any], pointer: str
) -> None:
    response = ask(till, order, **body)

    assert problem(response) == (422, "api.invalid")
    assert pointer in {error["pointer"] for error in response.json()["errors"]}
    assert RefundRequest.objects.count() == 0


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([{"position": 9, "quantity": 1}], (422, "orders.no_such_line")),
        ([{"position": 1, "quantity": 3}], (409, "orders.more_than_ordered")),
    ],
)
def test_pieces_that_are_not_there_are_refused(
    order: Order, till: Counter, lines: list[dict[str, int]], told: tuple[int, str]
) -> None:
    assert problem(ask(till, order, lines=lines)) == told


def test_another_shop_finds_nothing(house: House, order: Order, till: Counter) -> None:
    taken = ask(till, order, amount_minor=100).json()
    house.settle()
    stranger = Counter.open("Other Shop")

    assert problem(ask(stranger, order, whole=True)) == (404, "orders.not_found")
    assert problem(stranger.get(refunds(order))) == (404, "api.not_found")
    assert problem(stranger.get(refunds(order, taken["id"]))) == (404, "api.not_found")
    assert RefundRequest.objects.count() == 1


def test_a_refund_is_found_under_its_own_order_alone(house: House, order: Order, till: Counter) -> None:
    other = house.fulfilled("A-2", MUG=1)
    taken = ask(till, order, amount_minor=100).json()

    assert problem(till.get(refunds(other, taken["id"]))) == (404, "api.not_found")
    assert problem(till.get(refunds(order, str(uuid4())))) == (404, "api.not_found")


def test_the_list_is_paged_newest_first(house: House, order: Order, till: Counter) -> None:
    for amount in (1, 2, 3):
        ask(till, order, amount_minor=amount)
        house.settle()

    first = till.get(refunds(order), {"limit": 2}).json()
    last = till.get(refunds(order), {"limit": 2, "cursor": first["next_cursor"]}).json()

    assert [item["amount_minor"] for item in first["items"]] == [3, 2]
    assert [item["amount_minor"] for item in last["items"]] == [1]
    assert last["next_cursor"] is None


def test_it_needs_a_key(order: Order, till: Counter) -> None:
    response = ask(till, order, key=None, whole=True)  # type: ignore[arg-type]

    assert problem(response) == (400, "api.idempotency_key_missing")


def by_ada() -> dict[str, Any]:
    return {"actor": "ada", "reason": "crack in the mug", "now": database_now()}


@pytest.mark.parametrize("_", range(5))
def test_f33_of_a_shop_and_a_person_who_refund_all_at_once_one_gets_409(
    house: House, order: Order, till: Counter, _: int
) -> None:
    def by_api() -> int:
        try:
            status: int = ask(till, order, whole=True).status_code
            return status
        finally:
            connection.close()

    def by_staff() -> int:
        asked = result_of(lambda: ask_refund(order.pk, Wanted(whole=True), **by_ada()))()
        return {"done": 202, "orders.order_locked": 409}[asked]

    answers = at_once(by_api, by_staff)
    house.settle()

    assert sorted(answers) == [202, 409]
    assert house.refunded(order) == Payment.objects.get().captured_minor == 1500
    assert house.gateway.effects("A-1")["refunds"] == 1
