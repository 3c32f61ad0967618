"""Messages, clocks, locks and versions: they change when things happen, never what."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction

from config.demo.run import lagging
from orders.contract import CHOREOGRAPHY, ORCHESTRATION
from orders.definitions import FULFIL_ORDER
from sagas import bell, operate
from sagas.clock import database_now, travel
from sagas.definition import SagaDefinition, register, unregister
from sagas.inflight import stranded
from sagas.keeping.sweep import due_steps, every_queue, sweep
from sagas.loops import all_loops
from sagas.sql import execute, rows
from sagas.steps import all_steps
from sagas.tasks import run_step
from tests.scenarios.fulfilment import CONFIRMED, FULFIL, REFUNDED, Ends, Fulfilment

CAPTURE, VOID = "payments.capture_payment", "payments.void_authorization"
ONCE = {"holds": 1, "captures": 1, "labels": 1}


def test_f58_f62_messages_doubled_or_a_day_late_change_nothing(fulfilment: Fulfilment) -> None:
    fulfilment.run()
    travel(24 * 3600)

    for name in [*all_steps(), *all_steps()]:
        if name.partition(".")[0] in every_queue():
            run_step(name)
    fulfilment.settle()

    assert fulfilment.ends() == CONFIRMED
    assert fulfilment.effects() == ONCE
    assert fulfilment.stock() == (10, 0, 1)


def test_f62_a_step_that_is_repeated_by_hand_has_no_second_effect(fulfilment: Fulfilment) -> None:
    fulfilment.run()

    for step in ("payments.authorize_payment", "inventory.reserve_stock", "shipping.book_shipment", CAPTURE):
        fulfilment.repeat(step)

    assert fulfilment.ends() == CONFIRMED
    assert fulfilment.effects() == ONCE
    assert fulfilment.stock() == (10, 0, 1)


@pytest.fixture
def version_2() -> Iterator[SagaDefinition]:
    """New code: the same steps, named version 2."""
    made = SagaDefinition(
        FULFIL, 2, FULFIL_ORDER.steps, context=FULFIL_ORDER.context, deadline=FULFIL_ORDER.deadline,
        choreographable=True, late_cancel=FULFIL_ORDER.late_cancel, attention=FULFIL_ORDER.attention,
    )  # fmt: skip
    yield made
    unregister(FULFIL, 2)


def test_f60_sagas_in_flight_end_under_the_version_they_began_with(
    fulfilment: Fulfilment, request: pytest.FixtureRequest
) -> None:
    fulfilment.shelve(MUG=50)
    for number in range(10):
        fulfilment.order(f"OLD-{number}")
    fulfilment.settle(without=["shipping.book_shipment"])

    request.getfixturevalue("version_2")
    for number in range(10):
        fulfilment.order(f"NEW-{number}")
    fulfilment.settle()

    for number in range(10):
        assert (fulfilment.saga(f"OLD-{number}").version, fulfilment.saga(f"NEW-{number}").version) == (1, 2)
        assert fulfilment.ends(f"OLD-{number}") == fulfilment.ends(f"NEW-{number}") == CONFIRMED


def test_f60_a_version_this_code_does_not_know_stands_still_and_goes_on_when_it_does(
    fulfilment: Fulfilment, version_2: SagaDefinition
) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.order("A-1")
    fulfilment.settle(without=["shipping.book_shipment"])

    unregister(FULFIL, 2)
    fulfilment.settle()

    saga = fulfilment.saga()
    assert (saga.state, saga.hold, saga.hold_owner) == ("running", "parked", "operations")
    assert saga.hold_reason == "unknown definition: orders.fulfil_order version 2"
    assert [(s.definition, s.version, s.count) for s in stranded()] == [(FULFIL, 2, 1)]
    register(version_2)
    fulfilment.act("retry")
    fulfilment.settle()
    assert fulfilment.ends() == CONFIRMED


def test_f67_a_step_whose_rows_somebody_holds_is_tried_again(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.order("A-1")
    fulfilment.settle(without=["inventory.reserve_stock"])
    locked, done = threading.Event(), threading.Event()

    def hold_the_shelf() -> None:
        with transaction.atomic():
            rows("SELECT 1 FROM inventory_stock FOR UPDATE")
            locked.set()
            done.wait(20)
        connection.close()

    holder = threading.Thread(target=hold_the_shelf)
    holder.start()
    locked.wait(10)
    execute("SET lock_timeout = '200ms'")
    run_step("inventory.reserve_stock")
    execute("SET lock_timeout = '30s'")
    story = fulfilment.story()
    done.set()
    holder.join()
    fulfilment.settle()

    assert story[-1] == "reserve_stock: unavailable"
    assert fulfilment.ends() == CONFIRMED
    assert fulfilment.effects() == ONCE


def test_f73_two_schedulers_at_once_do_everything_once(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=50)
    for number in range(20):
        fulfilment.order(f"A-{number}")
    travel(24 * 3600 - 60)

    def scheduler() -> None:
        travel(24 * 3600 - 60)
        for _ in range(40):
            for loop in all_loops():
                loop.body(now=database_now())
        connection.close()

    keeps = [threading.Thread(target=scheduler) for _ in range(2)]
    for keep in keeps:
        keep.start()
    for keep in keeps:
        keep.join()
    fulfilment.settle()

    assert {fulfilment.ends(f"A-{n}") for n in range(20)} == {CONFIRMED}
    assert all(fulfilment.effects(f"A-{n}") == ONCE for n in range(20))


def test_f73_a_scheduler_that_was_away_for_a_day_catches_up(
    fulfilment: Fulfilment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "ring", lambda _name: False)  # no worker listens either
    fulfilment.shelve(MUG=10)
    fulfilment.order("EARLY")
    fulfilment.settle(without=[CAPTURE])
    travel(timedelta(days=2).total_seconds())
    fulfilment.order("LATE")

    while due_steps() or lagging():
        for loop in all_loops():
            loop.body(now=database_now())
    sweep(now=database_now())

    # Without a coordinator nobody turns the others back for being late: what is due is simply done.
    late = {ORCHESTRATION: Ends("rejected", "voided", "released", "voided"), CHOREOGRAPHY: CONFIRMED}
    assert fulfilment.ends("EARLY") == late[fulfilment.style]
    assert fulfilment.saga("EARLY").cause == ("deadline" if fulfilment.style == ORCHESTRATION else "")
    assert fulfilment.ends("LATE") == CONFIRMED


@pytest.mark.parametrize(
    ("undo", "left"),
    [
        (VOID, Ends("cancelling", "voiding", "released", "voided")),
        ("shipping.cancel_shipment", Ends("cancelling", "voided", "released", "void_pending")),
    ],
)
def test_f74_when_an_undo_fails_for_good_the_others_run_and_a_person_is_told_what_is_left(
    fulfilment: Fulfilment, undo: str, left: Ends
) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.given(undo, meets="unavailable", times=500)
    fulfilment.order("A-1")
    fulfilment.settle(without=[CAPTURE])

    fulfilment.cancel()
    fulfilment.settle()

    saga = fulfilment.saga()
    assert fulfilment.ends() == left
    assert (saga.state, saga.hold) == ("compensating", "parked")
    assert undo in saga.hold_reason
    assert (fulfilment.row().needs_attention, fulfilment.row().attention_reason) == (True, saga.hold_reason)
    assert f"{undo.partition('.')[2]}: gave_up" in fulfilment.story()
    assert fulfilment.stock() == (10, 0, 0)
    fulfilment.sandbox.control("DELETE", "/sandbox/scripts")
    fulfilment.act("retry")
    fulfilment.settle()
    assert fulfilment.ends() == Ends("cancelled", "voided", "released", "voided")
    assert not fulfilment.row().needs_attention


def test_f74_what_was_settled_by_hand_can_be_skipped_with_a_reason(fulfilment: Fulfilment) -> None:
    fulfilment.shelve(MUG=10)
    fulfilment.given("payments.refund_payment", refuses="account_closed")
    fulfilment.order("A-1")
    fulfilment.settle()
    fulfilment.cancel()
    fulfilment.settle()
    parked = fulfilment.saga(definition="orders.cancel_fulfilment")
    assert (parked.state, parked.hold) == ("running", "parked")

    operate.skip_step(
        parked.pk, "payments.refund_payment", {}, actor="ada", reason="paid by bank", now=database_now()
    )
    fulfilment.settle()

    assert fulfilment.ends() == REFUNDED
    assert fulfilment.story(definition="orders.cancel_fulfilment")[3] == "refund_payment: skipped"
