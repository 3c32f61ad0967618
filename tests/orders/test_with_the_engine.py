"""The steps of orders under the real engine: cancelled at each of their barriers, and never left behind."""

from __future__ import annotations

import pytest

from orders import commands
from orders.models import Order
from sagas.clock import database_now
from sagas.engine.intents import take_up
from sagas.engine.work import work
from sagas.models import Intent, Saga, SagaStep
from tests.orders.factories import a_shop, an_order

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS_ONLY = frozenset({"orders"})


def placed() -> Order:
    answer = commands.place_order(an_order(shop_id=a_shop().pk), now=database_now())
    return Order.objects.get(pk=answer.order_id)


def work_at(step: str) -> None:
    work(step, queues=ORDERS_ONLY)


def cancel(order: Order) -> None:
    commands.cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())
    take_up()


def states(order: Order) -> tuple[str, str]:
    return Order.objects.get(pk=order.pk).state, Saga.objects.get(subject_id=order.pk).state


def test_the_saga_accepts_the_order_and_goes_on_to_the_payment() -> None:
    order = placed()

    work_at("orders.place_order")

    assert states(order) == ("pending", "running")
    assert SagaStep.objects.get(finished_at=None).name == "payments.authorize_payment"


def test_f49_cancelled_before_its_saga_began_nothing_is_left_over() -> None:
    order = placed()

    cancel(order)
    work_at("orders.place_order")
    work_at("orders.cancel_order")

    assert states(order) == ("cancelled", "compensated")
    assert Intent.objects.get().state == "applied"


def test_f49_cancelled_after_it_was_accepted_the_saga_gives_it_back() -> None:
    order = placed()
    work_at("orders.place_order")

    cancel(order)
    assert states(order) == ("cancelling", "compensating")
    work_at("orders.cancel_order")

    assert states(order) == ("cancelled", "compensated")


def test_f49_a_cancel_that_is_committed_while_the_step_is_claimed_turns_the_saga_back() -> None:
    order = placed()
    commands.cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())
    Intent.objects.update(state="applied")  # as if the claim had read before the intent was there

    work_at("orders.place_order")

    assert states(order) == ("cancelled", "compensated")
    assert Saga.objects.get(subject_id=order.pk).cause_code == "orders.cancelled_early"
