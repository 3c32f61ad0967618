"""F12 through whole orders: the customer proves who they are at the sandbox's bank, fails to, or says nothing."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from django.test import Client

from orders.commands.shops import create_token
from orders.models import Shop
from payments.models import CustomerAction
from sagas.clock import database_now, travel
from tests.scenarios.fulfilment import CONFIRMED, Ends, Fulfilment


@pytest.fixture
def waiting(fulfilment: Fulfilment) -> Fulfilment:
    """One order whose customer has to act."""
    fulfilment.given("payments.authorize_payment", meets="require_action")
    fulfilment.shelve(MUG=10)
    fulfilment.order()
    fulfilment.settle_now()
    return fulfilment


def answers(outcome: str) -> None:
    """The customer follows the link and answers the bank."""
    url = CustomerAction.objects.get().url
    with urlopen(url, timeout=5) as page:
        assert "Is this payment yours?" in page.read().decode()
    with urlopen(Request(url, urlencode({"outcome": outcome}).encode()), timeout=5):
        pass


def test_f12_an_order_waits_for_its_customer(waiting: Fulfilment) -> None:
    saga = waiting.saga("A-1")

    assert waiting.ends() == Ends("pending", "requires_action", None, None)
    assert (saga.state, saga.hold, saga.hold_reason) == ("running", "waiting", "payments.requires_action")
    assert "holds" not in waiting.effects()


def test_f12_the_customer_proves_it_and_the_order_goes_on(waiting: Fulfilment) -> None:
    answers("yes")
    waiting.settle()

    assert waiting.ends() == CONFIRMED


def test_f12_the_customer_fails_to_and_the_order_is_rejected(waiting: Fulfilment) -> None:
    answers("no")
    waiting.settle()

    assert waiting.ends() == Ends("rejected", "declined", None, None)
    assert "holds" not in waiting.effects()


def test_f12_the_customer_says_nothing_and_the_order_is_rejected_at_the_deadline(waiting: Fulfilment) -> None:
    travel(timedelta(minutes=61).total_seconds())
    waiting.settle()

    assert waiting.ends().order == "rejected"
    assert waiting.ends().payment == "voided"
    assert "holds" not in waiting.effects()


def test_f12_f49_an_order_is_cancelled_while_it_waits_for_its_customer(waiting: Fulfilment) -> None:
    waiting.cancel()
    waiting.settle()

    assert waiting.ends().order == "cancelled"
    assert waiting.ends().payment == "voided"
    assert "holds" not in waiting.effects()


def test_the_shop_asks_where_its_customer_acts(waiting: Fulfilment) -> None:
    order = waiting.row("A-1")
    token = create_token(Shop.objects.get(pk=waiting.shop_id), name="shop", now=database_now())

    answer = Client().get(f"/api/v1/orders/{order.pk}/payment", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 200
    told = answer.json()
    assert (told["state"], told["amount_minor"], told["action"]["url"]) == (
        "requires_action", 500, CustomerAction.objects.get().url,
    )  # fmt: skip
