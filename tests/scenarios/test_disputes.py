"""F34 on whole orders: a dispute before the goods leave, after, and while money goes back; and how each ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orders import commands as orders
from orders.parcelling.commands import OnHold, ask_parcel
from orders.refunding.commands import ask_refund
from orders.refunding.ending import NotOwedByNobody, close_owed
from orders.refunding.models import RefundRequest
from orders.refunding.rules import Wanted
from orders.states import State
from payments.models import Dispute, Refund
from sagas import operate
from sagas.clock import database_now, travel
from sagas.inbox.rows import IncomingWebhook
from sagas.log import read
from sagas.models import Saga
from shipping.models import Shipment
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import CONFIRMED, REFUNDED, Fulfilment, in_business
from tests.scenarios.test_webhooks import came, do, sandbox, secret
from tests.waiting import eventually

__all__ = ["sandbox", "secret"]

OPEN = "bank disputes the payment: dp_1"


@pytest.fixture
def shop(transactional_db: None, sandbox: SandboxProcess) -> Iterator[Fulfilment]:
    """A shop whose orders are led; its books have to balance in the end."""
    with in_business(sandbox) as shop:
        yield shop
        assert shop.breaches() == []


def disputed(fulfilment: Fulfilment, **more: Any) -> None:
    """The customer's bank wants the money back, and we were told."""
    do(fulfilment, "dispute", id="dp_1", **more)
    came(fulfilment, "charge.dispute.created")


def decided(fulfilment: Fulfilment, status: str) -> None:
    """The bank has decided, and we were told."""
    do(fulfilment, "dispute", id="dp_1", status=status)
    came(fulfilment, "charge.dispute.closed")


def ship_one(shop: Fulfilment) -> None:
    """One piece is packed, paid for and made ready to leave."""
    ask_parcel(shop.row().pk, {1: 1}, actor="ada", reason="in stock", now=database_now())
    shop.settle()


def refund(fulfilment: Fulfilment, amount_minor: int = 500) -> RefundRequest:
    """Staff asks for money to go back."""
    asked = ask_refund(
        fulfilment.row().pk, Wanted(amount_minor=amount_minor), actor="ada", reason="a crack", now=database_now()
    )  # fmt: skip
    fulfilment.settle_now()
    return asked


def saga_of(asked: RefundRequest) -> Saga:
    """The saga that pays a refund."""
    assert asked.saga_id is not None
    return Saga.objects.get(pk=asked.saga_id)


def test_f34_before_shipping_the_order_is_on_hold_and_nothing_is_handed_over(fulfilment: Fulfilment) -> None:
    fulfilment.run()
    disputed(fulfilment)

    fulfilment.hand_over()

    order, dispute = fulfilment.row(), Dispute.objects.get()
    assert fulfilment.ends() == CONFIRMED
    assert dispute.evidence_due_by is not None
    assert (order.on_hold, order.hold_owner) == (True, "operations")
    assert order.hold_reason == f"{OPEN}, evidence due {dispute.evidence_due_by:%Y-%m-%d}"
    assert fulfilment.payment().flag == "disputed"
    assert "pickups" not in fulfilment.effects()


def test_f34_a_dispute_that_is_won_lets_the_goods_go(fulfilment: Fulfilment) -> None:
    fulfilment.run()
    disputed(fulfilment)
    decided(fulfilment, "won")

    fulfilment.hand_over()

    order = fulfilment.row()
    assert (order.state, order.on_hold, order.needs_attention) == (State.PROCESSING, False, False)
    assert Shipment.objects.get().state == "handed_over"
    assert fulfilment.payment().flag == ""


def test_f34_a_dispute_that_is_lost_keeps_the_goods_until_a_person_cancels(fulfilment: Fulfilment) -> None:
    fulfilment.run()
    disputed(fulfilment)
    decided(fulfilment, "lost")
    fulfilment.hand_over()
    held = (fulfilment.row().on_hold, fulfilment.row().hold_reason, Shipment.objects.get().state)

    fulfilment.cancel()
    fulfilment.settle()

    assert held == (True, "bank has taken the payment back: dp_1", "label_bought")
    assert fulfilment.ends() == REFUNDED
    assert (fulfilment.stock(), Refund.objects.get().state) == ((10, 0, 0), "refused")
    assert "refunds" not in fulfilment.effects()
    assert fulfilment.payment().charged_back_minor == 500


def test_f34_what_a_person_lets_go_ships_although_the_bank_has_not_decided(fulfilment: Fulfilment) -> None:
    fulfilment.run()
    disputed(fulfilment)
    orders.clear_attention(
        fulfilment.row().pk, actor="ada", reason="the tracking will prove it", now=database_now()
    )
    fulfilment.settle()

    fulfilment.hand_over()

    assert fulfilment.row().state == State.PROCESSING
    assert fulfilment.payment().flag == "disputed"


def test_f34_after_shipping_the_parcel_goes_on_and_a_person_is_called(fulfilment: Fulfilment) -> None:
    fulfilment.run()
    fulfilment.hand_over()
    disputed(fulfilment)

    fulfilment.deliver()

    order = fulfilment.row()
    assert (order.state, order.on_hold, order.needs_attention) == (State.COMPLETED, False, True)
    assert order.attention_reason.startswith(OPEN)


def test_f34_cancelled_while_the_bank_decides_it_waits_and_is_paid_back_once_it_is_won(
    fulfilment: Fulfilment,
) -> None:
    fulfilment.run()
    disputed(fulfilment)
    fulfilment.cancel()
    fulfilment.settle_now()
    waits = (fulfilment.row().state, fulfilment.effects().get("refunds", 0))

    decided(fulfilment, "won")

    assert waits == (State.CANCELLING, 0)
    assert fulfilment.ends() == REFUNDED
    assert fulfilment.effects()["refunds"] == 1


def test_f34_cancelled_while_the_bank_decides_it_ends_without_a_refund_once_it_is_lost(
    fulfilment: Fulfilment,
) -> None:
    fulfilment.run()
    disputed(fulfilment)
    fulfilment.cancel()
    fulfilment.settle_now()

    decided(fulfilment, "lost")

    assert fulfilment.ends() == REFUNDED
    assert (Refund.objects.get().state, fulfilment.effects().get("refunds", 0)) == ("refused", 0)


@pytest.mark.parametrize(
    ("status", "state", "refunded", "there"), [("won", "paid", 500, 1), ("lost", "refused", 0, 0)]
)
def test_f34_a_refund_of_a_disputed_payment_waits_and_ends_by_the_banks_word(
    shop: Fulfilment, status: str, state: str, refunded: int, there: int
) -> None:
    shop.run()
    disputed(shop)
    asked = refund(shop)
    waits = saga_of(asked)

    decided(shop, status)

    asked.refresh_from_db()
    assert (waits.hold, waits.hold_reason) == ("waiting", "payments.disputed")
    assert (asked.state, asked.refunded_minor, asked.owed_minor) == (state, refunded, 0)
    assert (shop.row().lock_kind, shop.row().refunded_minor) == ("", refunded)
    assert shop.effects().get("refunds", 0) == there


def test_f34_a_refund_that_the_provider_refuses_before_we_hear_of_the_dispute_waits_for_it(
    shop: Fulfilment,
) -> None:
    shop.run()
    shop.sandbox.script("webhooks", "A-1", "never", times=1)
    do(shop, "dispute", id="dp_1")
    asked = refund(shop)
    asked.refresh_from_db()
    early = (asked.state, Refund.objects.get().state)

    do(shop, "dispute", id="dp_1", status="under_review")
    came(shop, "charge.dispute.updated")
    decided(shop, "lost")

    asked.refresh_from_db()
    assert early == ("running", "submitting")
    assert (asked.state, Refund.objects.get().state) == ("refused", "refused")
    assert shop.payment().refunding_minor == 0


def test_f31_f34_a_refund_that_failed_is_owed_no_more_once_the_bank_has_taken_the_money(
    shop: Fulfilment,
) -> None:
    shop.run()
    shop.given("payments.refund_payment", refuses="payments.account_closed")
    asked = refund(shop)
    shop.settle()
    asked.refresh_from_db()
    owed = (asked.state, asked.owed_minor, saga_of(asked).hold)
    disputed(shop)

    decided(shop, "lost")

    asked.refresh_from_db()
    assert owed == ("owed", 500, "parked")
    assert (asked.state, asked.owed_minor, asked.refunded_minor) == ("refused", 0, 0)
    assert saga_of(asked).state == "completed"
    assert shop.row().lock_kind == ""


def test_f31_f34_a_refund_that_came_back_days_later_is_owed_no_more_once_the_bank_has_taken_it(
    shop: Fulfilment,
) -> None:
    shop.run()
    asked = refund(shop)
    travel(5 * 86_400)
    gone = Refund.objects.get().provider_id
    shop.sandbox.control("POST", "/sandbox/doings", {"what": "return", "refund": gone})
    came(shop, "refund.updated")
    asked.refresh_from_db()
    owed = (asked.state, asked.owed_minor)
    disputed(shop)

    decided(shop, "lost")

    asked.refresh_from_db()
    assert owed == ("owed", 500)
    assert (asked.state, asked.owed_minor, asked.dropped_minor) == ("refused", 0, 500)


def test_f34_in_parcels_what_has_left_goes_on_and_the_rest_stays(shop: Fulfilment) -> None:
    shop.shelve(MUG=10)
    shop.order_in_parcels("A-1", MUG=3)
    shop.settle()
    ship_one(shop)
    shop.hand_over()
    ship_one(shop)
    disputed(shop)
    shop.hand_over()
    held = [s.state for s in Shipment.objects.order_by("id")]
    with pytest.raises(OnHold, match=OPEN):
        ship_one(shop)

    decided(shop, "won")
    shop.hand_over()

    assert held == ["handed_over", "label_bought"]
    assert [s.state for s in Shipment.objects.order_by("id")] == ["handed_over", "handed_over"]
    assert shop.payment().disputed_minor == 0


@pytest.mark.parametrize("action", ["shuffle", "duplicate", "twin", "never"])
def test_f17_f19_f20_however_a_dispute_is_told_it_ends_alike(fulfilment: Fulfilment, action: str) -> None:
    fulfilment.run()
    fulfilment.sandbox.script("webhooks", "A-1", action, seconds=0.3)
    do(fulfilment, "dispute", id="dp_1")
    do(fulfilment, "dispute", id="dp_1", status="under_review")
    do(fulfilment, "dispute", id="dp_1", status="lost")
    if action != "never":
        told = IncomingWebhook.objects.filter(type__startswith="charge.dispute")
        assert eventually(lambda: told.count() >= 3)

    fulfilment.settle()

    payment = fulfilment.payment()
    assert (payment.flag, payment.charged_back_minor, payment.disputed_minor) == ("dispute_lost", 500, 0)
    assert fulfilment.row().hold_reason == "bank has taken the payment back: dp_1"


def test_an_owed_request_with_no_refund_behind_it_is_closed_by_a_person(shop: Fulfilment) -> None:
    shop.run()
    disputed(shop)
    asked = refund(shop)
    assert asked.saga_id is not None
    with pytest.raises(NotOwedByNobody):
        close_owed(asked.pk, actor="ada", reason="too early", now=database_now())
    operate.skip_step(
        asked.saga_id,
        "payments.refund_payment",
        {},
        actor="ada",
        reason="settled in cash",
        now=database_now(),
    )
    shop.settle()
    asked.refresh_from_db()
    owed = (asked.state, asked.owed_minor, asked.refund_id)

    close_owed(asked.pk, actor="ada", reason="settled in cash", now=database_now())

    asked.refresh_from_db()
    told = read(asked.pk)[-1]
    assert owed == ("owed", 500, None)
    assert (asked.state, asked.owed_minor, asked.dropped_minor, asked.closed_by) == ("closed", 0, 500, "ada")
    assert (told.type, told.metadata["actor"], told.metadata["reason"]) == (
        "orders.RefundClosed", "ada", "settled in cash",
    )  # fmt: skip
    with pytest.raises(NotOwedByNobody):
        close_owed(asked.pk, actor="ada", reason="again", now=database_now())
