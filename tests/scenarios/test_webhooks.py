"""Whole orders whose gateway tells what happens, late, doubled, out of order, or what nobody expected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from payments.models import Refund
from sagas.clock import database_now, travel
from sagas.inbox.rows import IncomingWebhook
from tests.payments.letters import SECRET, with_the_secret
from tests.sandbox_process import SandboxProcess, running_sandbox
from tests.scenarios.fulfilment import CONFIRMED, REFUNDED, Ends, Fulfilment
from tests.waiting import eventually

AUTHORIZE, CAPTURE = "payments.authorize_payment", "payments.capture_payment"


@pytest.fixture(scope="module")
def sandbox(live_server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """A sandbox whose gateway tells the live server what happens."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAYMENT_WEBHOOK_SECRETS", SECRET)
        door = f"{live_server.url}/webhooks/payments/sandbox/"
        with running_sandbox(
            tmp_path_factory.mktemp("s"), "--profile", "quiet", "--webhooks", door
        ) as running:
            yield running


@pytest.fixture(autouse=True)
def secret(settings: Any) -> None:
    """What the sandbox signs with."""
    with_the_secret(settings)


def came(fulfilment: Fulfilment, kind: str, count: int = 1, reference: str = "A-1") -> None:
    """Wait until webhooks of a kind about an order have come, then let everything settle."""
    intent = fulfilment.payment(reference).provider_id
    found = IncomingWebhook.objects.filter(object_id=intent, type=kind)
    assert eventually(lambda: found.count() == count), list(found.values_list("type", "state"))
    fulfilment.settle()


def do(fulfilment: Fulfilment, what: str, **more: Any) -> None:
    """Let the bank do something behind our back."""
    intent = fulfilment.payment().provider_id
    fulfilment.sandbox.control("POST", "/sandbox/doings", {"what": what, "intent": intent, **more})


@pytest.mark.parametrize("action", ["early", "shuffle", "duplicate", "twin", "late"])
def test_f17_f18_f19_however_webhooks_come_the_order_ends_as_without_them(
    fulfilment: Fulfilment, action: str
) -> None:
    fulfilment.sandbox.script("webhooks", "A-1", action, seconds=0.3)
    fulfilment.run()
    came(fulfilment, "payment_intent.succeeded", 2 if action == "twin" else 1)

    assert fulfilment.ends() == CONFIRMED
    assert fulfilment.effects() == {"holds": 1, "captures": 1, "labels": 1}


def test_f20_without_any_webhook_it_ends_the_same(fulfilment: Fulfilment) -> None:
    fulfilment.sandbox.script("webhooks", "A-1", "never")
    fulfilment.given(CAPTURE, meets="do_then_drop")

    fulfilment.run()

    assert fulfilment.ends() == CONFIRMED
    assert IncomingWebhook.objects.count() == 0


def test_f13_a_webhook_settles_an_unknown_capture_before_its_next_try(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.given(CAPTURE, meets="do_then_drop")
    fulfilment.order()
    fulfilment.settle_until_unknown(CAPTURE)
    intent = fulfilment.payment().provider_id
    told = IncomingWebhook.objects.filter(object_id=intent, type="payment_intent.succeeded")
    assert eventually(told.exists)

    fulfilment.settle_now()

    assert fulfilment.ends() == CONFIRMED
    assert told.get().code in ("step_woken", "known")


def test_f75_a_hold_that_comes_through_after_the_order_was_rejected_is_let_go(
    fulfilment: Fulfilment,
) -> None:
    fulfilment.given(AUTHORIZE, refuses="payments.declined")
    fulfilment.run()
    rejected = fulfilment.ends()
    do(fulfilment, "authorize")

    came(fulfilment, "payment_intent.amount_capturable_updated")

    assert (rejected.order, rejected.payment) == ("rejected", "declined")
    assert (fulfilment.ends().order, fulfilment.ends().payment) == ("rejected", "voided")
    assert fulfilment.effects()["voids"] == 1


def test_f23_a_hold_that_ran_out_rejects_the_order_and_gives_all_back(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.given("shipping.book_shipment", meets="unavailable", times=3, retry_after=1)
    fulfilment.order()
    fulfilment.settle_now()
    do(fulfilment, "expire")

    came(fulfilment, "payment_intent.canceled")

    assert fulfilment.ends()[:3] == Ends("rejected", "expired", "released", None)[:3]
    assert fulfilment.stock() == (10, 0, 0)


def test_f25_a_capture_taken_back_after_hand_over_calls_a_person_and_the_parcel_goes_on(
    fulfilment: Fulfilment,
) -> None:
    fulfilment.run()
    fulfilment.hand_over()
    do(fulfilment, "reverse")

    came(fulfilment, "payment_intent.payment_failed")

    order, payment = fulfilment.row(), fulfilment.payment()
    assert (order.state, order.on_hold, order.needs_attention) == ("processing", False, True)
    assert order.attention_reason == "payment taken back: insufficient_funds"
    assert (payment.state, payment.reversed_minor) == ("captured", 500)


def test_f25_a_capture_taken_back_before_hand_over_holds_the_order(fulfilment: Fulfilment) -> None:
    fulfilment.run()
    do(fulfilment, "reverse")

    came(fulfilment, "payment_intent.payment_failed")

    assert (fulfilment.row().state, fulfilment.row().on_hold) == ("confirmed", True)


def test_f31_a_refund_that_comes_back_leaves_the_order_cancelled_and_calls_a_person(
    fulfilment: Fulfilment,
) -> None:
    fulfilment.run()
    fulfilment.cancel()
    fulfilment.settle()
    cancelled = fulfilment.ends()
    refund = Refund.objects.get()
    travel(5 * 86_400)
    fulfilment.sandbox.control("POST", "/sandbox/doings", {"what": "return", "refund": refund.provider_id})

    came(fulfilment, "refund.updated")

    order, payment = fulfilment.row(), fulfilment.payment()
    assert cancelled == fulfilment.ends() == REFUNDED
    assert (order.needs_attention, order.attention_reason) == (
        True,
        "refund came back: expired_or_canceled_card",
    )
    assert (payment.refunded_minor, payment.refunding_minor) == (0, 500)
    assert Refund.objects.get().returned_at is not None
    assert database_now() > Refund.objects.get().made_at


def test_f22_what_cannot_be_holds_the_order_until_a_person_has_looked(
    fulfilment: Fulfilment, monkeypatch: pytest.MonkeyPatch
) -> None:
    fulfilment.run()
    other = fulfilment.sandbox.client().post_form(
        "/v1/refunds", {"payment_intent": fulfilment.payment().provider_id, "amount": 100}, operation="refund"
    )

    came(fulfilment, "refund.created")

    order = fulfilment.row()
    assert other.ok
    assert (order.state, order.on_hold) == ("confirmed", True)
    assert "not by us" in order.attention_reason
    assert fulfilment.payment().refunded_minor == 0
    told = fulfilment.breaches()
    assert [one.partition(":")[0] for one in told] == ["i01c_refunds_known", "i03b_ledger_equals_provider"]
    monkeypatch.setattr(Fulfilment, "breaches", lambda _self: [])
