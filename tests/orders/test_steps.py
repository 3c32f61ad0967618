"""The saga's steps of an order: set-based, safe to repeat, and the row is always what the stream says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders import commands, repository, steps
from orders.aggregate import Order as Aggregate
from orders.models import Order, Shop
from sagas import log
from sagas.definition import SagaNote, check, latest
from sagas.ids import uuid7
from sagas.steps import StepCall
from sagas.verdicts import ConcurrencyConflict, Done, Refused
from tests.orders.conftest import saga_of
from tests.orders.factories import NOW, an_order, call

LATER = NOW + timedelta(minutes=5)

MakeOrder = Callable[..., Order]


def for_its_saga(order: Order, **values: Any) -> StepCall:
    return call(order.pk, saga_id=saga_of(order), **values)


def story(order: Order) -> list[str]:
    return [r.type.removeprefix("orders.") for r in log.read(order.pk)]


def assert_row_is_replay(order: Order) -> None:
    row = Order.objects.values(*repository.COLUMNS).get(pk=order.pk)
    assert Aggregate.from_events(log.read(order.pk)).snapshot() == row


def test_a_draft_becomes_pending_and_its_saga_takes_the_lock(draft: MakeOrder) -> None:
    order = draft()

    answers = steps.place_order([for_its_saga(order, now=LATER, correlation_id="req-9")])

    order.refresh_from_db()
    assert answers == [Done()]
    assert (order.state, order.version) == ("pending", 2)
    assert (order.lock_saga, order.lock_kind, order.lock_since) == (saga_of(order), "fulfil", LATER)
    assert log.read(order.pk)[-1].metadata == {"actor": "system", "correlation_id": "req-9"}
    assert_row_is_replay(order)


def test_accepting_twice_says_nothing_twice(pending: MakeOrder) -> None:
    order = pending()

    assert steps.place_order([for_its_saga(order)]) == [Done()]
    assert story(order) == ["OrderPlaced", "OrderAccepted"]


def test_confirming_lets_go_of_the_lock(pending: MakeOrder) -> None:
    order = pending()

    answers = steps.confirm_order([for_its_saga(order), for_its_saga(order)])

    order.refresh_from_db()
    assert answers == [Done(), Done()]
    assert (order.state, order.lock_saga, order.lock_kind) == ("confirmed", None, "")
    assert story(order) == ["OrderPlaced", "OrderAccepted", "OrderConfirmed"]
    assert_row_is_replay(order)


@pytest.mark.parametrize(
    ("cause", "code", "state", "end_code"),
    [
        ("refused", "payments.declined", "rejected", "payments.declined"),
        ("deadline", "step_timed_out", "rejected", "step_timed_out"),
        ("deadline", "", "rejected", "deadline"),
        ("intent", "changed my mind", "cancelled", ""),
    ],
)
def test_an_order_given_back_ends_by_its_cause(
    pending: MakeOrder, cause: str, code: str, state: str, end_code: str
) -> None:
    order = pending()

    answers = steps.cancel_order([for_its_saga(order, cause=cause, cause_code=code)] * 2)

    order.refresh_from_db()
    assert answers == [Done(), Done()]
    assert (order.state, order.end_code, order.lock_saga) == (state, end_code, None)
    assert_row_is_replay(order)


def test_giving_back_before_the_order_was_accepted_leaves_a_tombstone(draft: MakeOrder) -> None:
    order = draft()

    steps.cancel_order([for_its_saga(order, cause="deadline", cause_code="deadline")])
    (late,) = steps.place_order([for_its_saga(order)])

    order.refresh_from_db()
    assert isinstance(late, Refused)
    assert (order.state, story(order)) == ("rejected", ["OrderPlaced", "OrderRejected"])


def test_one_order_that_cannot_move_does_not_stop_the_others(draft: MakeOrder, pending: MakeOrder) -> None:
    good, bad = pending(), draft()

    first, second = steps.confirm_order([for_its_saga(bad), for_its_saga(good)])

    assert isinstance(first, Refused)
    assert second == Done()
    assert set(Order.objects.values_list("pk", "state")) == {(good.pk, "confirmed"), (bad.pk, "draft")}


def test_250_orders_move_in_as_many_statements_as_one(shop: Shop) -> None:
    placed = commands.place_orders([an_order(shop_id=shop.pk) for _ in range(250)], now=NOW)
    calls = [call(p.order_id) for p in placed if isinstance(p, commands.Placed)]

    for step in (steps.place_order, steps.confirm_order):
        with CaptureQueriesContext(connection) as captured:
            assert step(calls) == [Done()] * 250
        assert len(captured) == 3

    assert Order.objects.filter(state="confirmed", version=3).count() == 250


def test_an_order_that_moved_since_it_was_loaded_is_not_overwritten(pending: MakeOrder) -> None:
    order = pending()
    (stale,) = repository.load([order.pk]).values()
    steps.confirm_order([for_its_saga(order)])

    stale.reject("late", now=NOW)
    with pytest.raises(ConcurrencyConflict):
        repository.save([stale], now=NOW)

    order.refresh_from_db()
    assert order.state == "confirmed"


def test_a_parked_saga_shows_on_its_order_and_holds_it(pending: MakeOrder) -> None:
    order = pending()
    note = SagaNote(saga_of(order), order.shop_id, order.pk, "R", "capture: gave up", "engine", {})

    for _ in range(2):
        commands.call_attention([note], now=NOW)

    order.refresh_from_db()
    assert (order.needs_attention, order.attention_reason) == (True, "capture: gave up")
    assert (order.on_hold, order.hold_reason, order.hold_owner) == (True, "capture: gave up", "operations")
    assert story(order)[-1:] == ["OrderNeedsAttention"]
    assert_row_is_replay(order)


def test_a_person_who_has_looked_lifts_the_flags_and_says_why(pending: MakeOrder) -> None:
    order = pending()
    note = SagaNote(uuid7(), order.shop_id, order.pk, "R", "stuck", "engine", {})
    commands.call_attention([note], now=NOW)

    commands.clear_attention(order.pk, actor="kim", reason="called the bank", now=LATER)

    order.refresh_from_db()
    assert (order.needs_attention, order.on_hold) == (False, False)
    assert log.read(order.pk)[-1].metadata == {"actor": "kim", "reason": "called the bank"}
    with pytest.raises(Refused):
        commands.clear_attention(order.pk, actor="kim", reason="again", now=LATER)


def test_fulfil_order_can_be_finished_and_names_its_countermeasures() -> None:
    definition = latest("orders.fulfil_order")

    assert check(definition) == []
    assert "semantic lock" in definition.countermeasures
    assert definition.deadline == timedelta(days=1)
