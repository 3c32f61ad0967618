"""The same ends when the money goes through Stripe's official client."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from config.waybill import StripeSettings
from payments.gateways import get_gateway
from payments.gateways.stripe import StripeGateway
from tests.scenarios.fulfilment import CONFIRMED, REFUNDED, Ends, Fulfilment

AUTHORIZE, VOID = "payments.authorize_payment", "payments.void_authorization"
CAPTURE, REFUND = "payments.capture_payment", "payments.refund_payment"
LOST = ["do_then_drop", "drop", "do_then_5xx"]


@pytest.fixture
def shop(fulfilment: Fulfilment, settings: Any) -> Fulfilment:
    """A shop in business whose gateway is Stripe; the sandbox plays Stripe."""
    account = StripeSettings(api_key="sk_test_1", api_base=fulfilment.sandbox.url)
    settings.WAYBILL = replace(settings.WAYBILL, payment_gateway="stripe", stripe=account)
    assert isinstance(get_gateway(), StripeGateway)
    return fulfilment


def test_an_order_is_paid_through_stripe(shop: Fulfilment) -> None:
    saga = shop.run()

    assert saga.state == "completed"
    assert shop.ends() == CONFIRMED
    assert shop.effects() == {"holds": 1, "captures": 1, "labels": 1}


def test_f11_a_card_that_stripe_declines_rejects_the_order(shop: Fulfilment) -> None:
    shop.given(AUTHORIZE, refuses="stolen_card")

    shop.run()

    assert shop.ends() == Ends("rejected", "declined", None, None)
    assert shop.payment().code == "stolen_card"
    assert shop.effects() == {}


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("step", [AUTHORIZE, CAPTURE])
def test_f13_f14_an_answer_of_stripes_that_was_lost_is_settled_with_one_effect(
    shop: Fulfilment, step: str, lost: str
) -> None:
    shop.given(step, meets=lost)

    saga = shop.run()

    assert saga.state == "completed"
    assert shop.ends() == CONFIRMED
    assert shop.effects() == {"holds": 1, "captures": 1, "labels": 1}


@pytest.mark.parametrize("lost", LOST)
def test_f29_a_void_at_stripe_whose_answer_was_lost_is_settled_with_one_effect(
    shop: Fulfilment, lost: str
) -> None:
    shop.given("shipping.book_shipment", refuses="country_not_served")
    shop.given(VOID, meets=lost)

    saga = shop.run()

    assert saga.state == "compensated"
    assert shop.ends().payment == "voided"
    assert shop.effects() == {"holds": 1, "voids": 1}


@pytest.mark.parametrize("lost", LOST)
def test_f32_a_refund_at_stripe_whose_answer_was_lost_is_made_once(shop: Fulfilment, lost: str) -> None:
    shop.run()
    shop.given(REFUND, meets=lost)

    shop.cancel()
    shop.settle()

    assert shop.ends() == REFUNDED
    assert shop.effects()["refunds"] == 1
    assert shop.payment().refunded_minor == shop.payment().captured_minor == 500
