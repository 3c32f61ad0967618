"""F23 through whole orders: six days go by before the parcel is booked, and the bank's hold lasts seven."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payments.loops import ask_after, patrol, renew_holds
from payments.models import Renewal
from sagas.clock import database_now, travel
from sagas.models import Saga
from tests.scenarios.fulfilment import CONFIRMED, Ends, Fulfilment


@pytest.fixture
def stopped(fulfilment: Fulfilment) -> Fulfilment:
    """One order whose money and goods are held, and whose parcel a person has stopped from being booked."""
    fulfilment.shelve(MUG=10)
    fulfilment.given("shipping.book_shipment", meets="unavailable", times=1, retry_after=1)
    fulfilment.order()
    fulfilment.settle_now()
    fulfilment.act("pause")
    fulfilment.settle_now()
    return fulfilment


def days_later(shop: Fulfilment, days: float) -> None:
    """Time goes by, here and at the providers; then whoever looks after unfinished payments does."""
    seconds = timedelta(days=days).total_seconds()
    travel(seconds)
    shop.sandbox.move_clock(seconds)
    for loop in (patrol, ask_after, renew_holds, patrol, ask_after):
        loop(now=database_now())
    shop.settle_now()


def test_f23_a_hold_is_renewed_when_most_of_its_life_is_over(stopped: Fulfilment) -> None:
    before = stopped.payment().provider_id

    days_later(stopped, 5)
    early = Renewal.objects.count()
    days_later(stopped, 6)

    payment = stopped.payment()
    assert early == 0
    assert (payment.state, payment.provider_id != before) == ("authorized", True)
    assert Renewal.objects.get().state == "done"
    assert stopped.effects() == {"holds": 2, "voids": 1}
    assert not stopped.row().needs_attention


def test_f23_an_order_goes_on_with_its_renewed_hold_after_the_first_has_run_out(stopped: Fulfilment) -> None:
    days_later(stopped, 6)
    days_later(stopped, 8)

    stopped.act("resume")
    stopped.settle()

    assert stopped.ends() == CONFIRMED
    assert stopped.effects() == {"holds": 2, "voids": 1, "captures": 1, "labels": 1}


@pytest.mark.parametrize("trouble", ["do_then_drop", "drop"])
def test_f23_a_renewal_whose_outcome_is_unknown_leaves_one_hold(stopped: Fulfilment, trouble: str) -> None:
    stopped.given("payments.authorize_payment", meets=trouble)

    days_later(stopped, 6)
    stopped.settle()

    assert stopped.effects() == {"holds": 2, "voids": 1}
    assert Renewal.objects.get().state == "done"


def test_f23_a_declined_renewal_is_told_with_its_date_and_the_hold_stays(stopped: Fulfilment) -> None:
    stopped.given("payments.authorize_payment", refuses="payments.lost_card")
    until = stopped.payment().made_at + timedelta(days=7)

    days_later(stopped, 6)

    order = stopped.row()
    assert (stopped.payment().state, stopped.effects()) == ("authorized", {"holds": 1})
    assert (order.needs_attention, order.on_hold) == (True, False)
    assert order.attention_reason.startswith(f"authorization runs out {until:%Y-%m-%d}")
    assert order.attention_reason.endswith("not renewed: lost_card")
    assert Saga.objects.get(definition="payments.renew_authorization").state == "compensated"


def test_f23_a_hold_that_could_not_be_renewed_runs_out_and_all_is_given_back(stopped: Fulfilment) -> None:
    stopped.given("payments.authorize_payment", refuses="payments.lost_card")
    days_later(stopped, 6)

    days_later(stopped, 8)
    stopped.act("resume")
    stopped.settle()

    assert stopped.ends()[:3] == Ends("rejected", "expired", "released", None)[:3]
    assert stopped.stock() == (10, 0, 0)
    assert "captures" not in stopped.effects()


def test_f23_an_order_cancelled_after_its_renewal_holds_nothing(stopped: Fulfilment) -> None:
    days_later(stopped, 6)

    stopped.cancel()
    stopped.act("resume")
    stopped.settle()

    assert stopped.ends()[:3] == Ends("cancelled", "voided", "released", None)[:3]
    assert stopped.effects() == {"holds": 2, "voids": 2}
