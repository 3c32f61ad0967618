"""F31 to F33: refunds that the provider cannot pay, that come back, and two at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from orders.commands import cancel_order
from orders.models import RefundRequest
from payments.commands.repaying import repay_refund
from payments.gateways.base import RefundStatus
from payments.models import Payment, Refund
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.operate import retry_now, skip_step
from sagas.verdicts import Refused
from tests.orders.giving_back.house import House, only_saga
from tests.orders.refunding.asking import (
    SAGA,
    approve,
    coming,
    fails,
    fresh,
    limits,
    refunded_at_provider,
    stands,
    whole,
)
from tests.payments.letters import Postman, with_the_secret
from tests.payments.test_races import at_once


def test_f31_what_the_provider_cannot_pay_is_owed_and_calls_a_person(house: House) -> None:
    order = house.fulfilled(MUG=2)

    request = fails(house, order)

    saga, now = only_saga(order.pk, SAGA), fresh(order)
    assert stands(request) == ("owed", 0, 0, 1000)
    assert (saga.hold, saga.hold_reason) == ("parked", "payments.refund_payment: payments.refund_failed")
    assert (now.needs_attention, now.lock_kind, Refund.objects.get().state) == (True, "refund", "failed")


def test_f31_what_is_credit_besides_is_not_owed_a_second_time(house: House) -> None:
    order = house.fulfilled(MUG=2)
    Payment.objects.update(reversed_minor=300)

    request = fails(house, order)

    assert stands(request) == ("owed", 0, 0, 700)
    assert house.owed() == 300


def test_f31_a_person_may_try_again(house: House) -> None:
    order = house.fulfilled(MUG=2)
    request = fails(house, order, times=1)

    retry_now([only_saga(order.pk, SAGA).pk], actor="ada", reason="new card", now=database_now())
    house.settle()

    assert stands(request) == ("paid", 1000, 0, 0)
    assert (fresh(order).needs_attention, refunded_at_provider(house)) == (False, 1000)


def test_f31_or_record_that_it_was_paid_another_way_and_the_saga_ends(house: House) -> None:
    order = house.fulfilled(MUG=2)
    request = fails(house, order)

    repay_refund(
        Refund.objects.get().pk, reference="BT-1", actor="ada", reason="by transfer", now=database_now()
    )
    house.settle()

    saga, now = only_saga(order.pk, SAGA), fresh(order)
    assert (saga.state, saga.hold) == ("completed", "none")
    assert stands(request) == ("paid", 1000, 0, 0)
    assert RefundRequest.objects.get().repaid_at is not None
    assert (now.refunded_minor, now.lock_kind, now.needs_attention) == (1000, "", False)
    assert refunded_at_provider(house) == 0
    assert (Refund.objects.get().state, Payment.objects.get().repaid_minor) == ("repaid", 1000)


@pytest.fixture
def postman(house: House, settings: Any) -> Postman:
    """Who brings what the gateway tells."""
    with_the_secret(settings)
    return Postman(house.gateway)


def test_f31_what_comes_back_days_later_is_owed_again_and_can_be_paid_another_way(
    house: House, postman: Postman
) -> None:
    order = house.fulfilled(MUG=2)
    request = whole(order)
    house.settle()
    gone = Refund.objects.get().provider_id
    house.later(hours=5 * 24)
    house.gateway.happen(gone, status=RefundStatus.FAILED, failure_code="account_closed")
    postman.tell_of_refund(gone)
    postman.read()
    house.settle()
    back = stands(request), fresh(order).needs_attention

    repay_refund(
        Refund.objects.get().pk, reference="BT-1", actor="ada", reason="by transfer", now=database_now()
    )
    house.settle()

    assert back == (("owed", 0, 0, 1000), True)
    assert stands(request) == ("paid", 1000, 0, 0)
    assert fresh(order).refunded_minor == 1000  # counted once, and never promised again


def test_f32_a_refund_whose_answer_was_lost_is_one_refund(house: House) -> None:
    order, ident = house.fulfilled(MUG=2), uuid7()
    house.gateway.script("refund", coming(order, ident), "do_then_drop", times=1)

    request = whole(order, request_id=ident)
    house.settle()
    house.later(hours=1)

    assert stands(request) == ("paid", 1000, 0, 0)
    assert refunded_at_provider(house) == 1000
    assert house.gateway.effects("A-1")["refunds"] == 1


def test_a_step_that_is_skipped_without_a_word_leaves_the_money_owed(house: House) -> None:
    order = house.fulfilled(MUG=2)
    request = fails(house, order)

    skip_step(
        only_saga(order.pk, SAGA).pk, "payments.refund_payment", {}, actor="ada", reason="later",
        now=database_now(),
    )  # fmt: skip
    house.settle()
    skipped = stands(request), fresh(order).refunded_minor
    repay_refund(
        Refund.objects.get().pk, reference="BT-1", actor="ada", reason="by transfer", now=database_now()
    )
    house.settle()

    assert skipped == (("owed", 0, 0, 1000), 1000)
    assert stands(request) == ("paid", 1000, 0, 0)


# --- two at once --------------------------------------------------------------------------------------------


def told(act: Any) -> Any:
    """What an act in a thread came to, in a word."""

    def run() -> str:
        try:
            act()
        except Refused as refused:
            return refused.code
        finally:
            connection.close()
        return "taken"

    return run


@pytest.mark.parametrize("_", range(5))
def test_f33_of_two_full_refunds_at_once_one_is_taken(house: House, _: int) -> None:
    order = house.fulfilled(MUG=2)

    words = at_once(*[told(lambda who=who: whole(order, actor=who)) for who in ("bob", "shop:first")])
    house.settle()

    assert sorted(words) == ["orders.order_locked", "taken"]
    assert refunded_at_provider(house) == 1000 == Payment.objects.get().captured_minor
    assert fresh(order).refunded_minor == 1000


@pytest.mark.parametrize("_", range(5))
def test_f33_two_large_ones_at_once_are_promised_once(house: House, _: int) -> None:
    order = house.fulfilled(MUG=2)

    with limits(0):
        words = at_once(*[told(lambda who=who: whole(order, actor=who)) for who in ("bob", "eve")])

    assert sorted(words) == ["orders.nothing_to_refund", "taken"]
    assert RefundRequest.objects.get().amount_minor == 1000


@pytest.mark.parametrize("_", range(5))
def test_f33_two_people_who_approve_at_once_pay_once(house: House, _: int) -> None:
    order = house.fulfilled(MUG=2)
    with limits(0):
        request = whole(order)

    words = at_once(*[told(lambda who=who: approve(request, who)) for who in ("ada", "eve")])
    house.settle()

    assert sorted(words) == ["orders.refund_decided", "taken"]
    assert refunded_at_provider(house) == 1000


@pytest.mark.parametrize("_", range(5))
def test_a_refund_and_a_cancellation_at_once_give_the_money_back_once(house: House, _: int) -> None:
    order = house.fulfilled(MUG=2)

    def cancel() -> None:
        cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())

    words = at_once(told(lambda: whole(order)), told(cancel))
    house.settle()
    house.later(hours=1)

    assert words.count("taken") == 1
    assert set(words) - {"taken"} <= {"orders.order_locked", "illegal_move"}
    assert refunded_at_provider(house) == 1000


def test_asked_at_is_when_it_was_asked(house: House) -> None:
    order = house.fulfilled(MUG=1)
    now = database_now() + timedelta(minutes=3)

    request = whole(order, now=now)

    assert RefundRequest.objects.get(pk=request.pk).asked_at == now
