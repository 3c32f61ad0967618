"""Circuits in the engine: an outage costs a saga time, and no tries; the provider meets probes, and then a ramp."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from django.conf import settings

from sagas import circuits
from sagas.clock import database_now
from sagas.models import Saga, SagaStep
from sagas.resilience.circuit import Position, Tally
from sagas.steps import Continue, get_step
from sagas.verdicts import Done, LostRace, Refused, Unknown
from tests.sagas.bank import DOWN, POLICY, Time, break_down, calls, hold_money
from tests.sagas.toys import Script, run, saga, settle, start, start_many, told


def test_failures_open_the_circuit_and_then_nobody_calls(time: Time, toy: Script) -> None:
    break_down(toy)
    start_many([f"B-{n}" for n in range(50)])
    run("open_case")

    assert hold_money().state().position is Position.OPEN
    assert calls(toy) == 3
    assert SagaStep.objects.filter(code="circuit_open").count() == 50


def test_what_waits_has_a_wake_up_time_and_has_used_up_no_tries(time: Time, toy: Script) -> None:
    break_down(toy)
    start("B-1")
    run("open_case")

    step = SagaStep.objects.get(saga=saga("B-1"), name="sagas.hold_money")
    assert (step.tries, step.verdict, step.code) == (1, "unavailable", "circuit_open")
    assert step.wake_at is not None
    assert 19 <= (step.wake_at - database_now()).total_seconds() <= 20
    assert saga("B-1").hold == Saga.Hold.NONE


def test_however_long_the_outage_no_saga_fails_for_it(time: Time, toy: Script) -> None:
    break_down(toy, sagas=10)
    for _ in range(50):
        time.forward(21)
        run("hold_money")

    tries = set(SagaStep.objects.filter(name="sagas.hold_money").values_list("tries", flat=True))
    assert max(tries) <= 2
    assert set(Saga.objects.values_list("state", "hold")) == {("running", "none")}


def test_an_outage_costs_the_bank_no_more_than_its_probes(time: Time, toy: Script) -> None:
    break_down(toy, sagas=100)
    before = calls(toy)

    for _ in range(10):
        time.forward(21)
        run("hold_money")

    assert calls(toy) - before == 10 * POLICY.probes


def test_after_the_outage_all_finish_and_the_ramp_holds(time: Time, toy: Script) -> None:
    break_down(toy, sagas=60)
    time.forward(21)
    toy.always.clear()
    run("hold_money")
    assert hold_money().state().position is Position.CLOSED

    began, counts = time.ahead, []
    for _ in range(9):
        time.forward(1)
        run("hold_money")
        counts.append((time.ahead - began, calls(toy) - 3 - POLICY.probes))

    assert all(made <= POLICY.allowance(elapsed) for elapsed, made in counts)
    assert counts[-1][1] > POLICY.allowance(8)
    time.forward(10)
    settle()
    assert set(Saga.objects.values_list("state", flat=True)) == {"completed"}


def test_refusals_are_no_failures(time: Time, toy: Script) -> None:
    toy.always["hold_money"] = Refused("bank.declined")
    start_many([f"A-{n}" for n in range(20)])
    settle()

    assert hold_money().state().position is Position.CLOSED
    assert set(Saga.objects.values_list("state", flat=True)) == {"compensated"}


def test_a_bug_of_ours_is_no_failure_of_theirs(time: Time, toy: Script) -> None:
    toy.always["hold_money"] = ZeroDivisionError()
    start_many([f"A-{n}" for n in range(5)])
    run("open_case")

    assert hold_money().state().failures == 0


def test_operations_have_circuits_of_their_own(time: Time, toy: Script) -> None:
    toy.always["take_money"] = DOWN
    start_many([f"A-{n}" for n in range(3)])
    run("open_case")
    toy.always.clear()

    start("B-1")
    run("open_case")

    assert circuits.breaker_of(get_step("sagas.take_money")).state().position is Position.OPEN
    assert hold_money().state().position is Position.CLOSED
    assert told("B-1")[1] == "hold_money"


def test_a_failed_probe_uses_up_no_try_either(time: Time, toy: Script) -> None:
    break_down(toy)
    for _ in range(POLICY.probes * 20):
        time.forward(21)
        run("hold_money")

    assert max(SagaStep.objects.filter(name="sagas.hold_money").values_list("tries", flat=True)) <= 2


def test_an_unknown_outcome_stays_unknown_while_the_circuit_is_open(time: Time, toy: Script) -> None:
    toy.always["hold_money"] = Unknown("bank.silent")
    toy.always["hold_money?"] = Unknown("bank.silent")
    start_many([f"A-{n}" for n in range(3)])
    run("open_case")
    time.forward(21)
    run("hold_money")

    steps = SagaStep.objects.filter(name="sagas.hold_money").order_by("code")
    assert [(s.verdict, s.code) for s in steps] == [
        ("unknown", "bank.silent"), ("unknown", "bank.silent"), ("unknown", "circuit_open"),
    ]  # fmt: skip
    toy.always.clear()
    time.forward(60)
    settle()
    assert ("hold_money?", "A-1") in toy.asked
    assert set(Saga.objects.values_list("state", flat=True)) == {"completed"}


def test_giving_back_goes_on_past_an_undo_that_waits_for_a_circuit(time: Time, toy: Script) -> None:
    toy.always["free_money"] = DOWN
    toy.replies["keep_goods"] = [Refused("gone")] * 4
    start_many([f"A-{n}" for n in range(1, 4)])
    settle_now()
    start("B-1")
    settle_now()

    story = told("B-1")
    assert "free_money" not in story
    assert SagaStep.objects.get(saga=saga("B-1"), name="sagas.free_money").code == "circuit_open"


def settle_now() -> None:
    """Run what is due now, without travelling."""
    for name in ("open_case", "hold_money", "keep_goods", "return_goods", "free_money", "close_case"):
        run(name)


def half_open(time: Time, toy: Script) -> None:
    """The bank went down under others, who are out of the way now, and its recovery time-out is over."""
    hold_money().note(Tally(failures=3))
    time.forward(21)


def test_a_probe_of_two_requests_is_one_probe(time: Time, toy: Script) -> None:
    half_open(time, toy)
    toy.always["hold_money"] = lambda call: Done({"hold_id": "h"}) if call.memo else Continue({"id": "1"})
    start("A-1")
    run("open_case")
    after_one = hold_money().state().position
    start("A-2")
    run("open_case")

    assert calls(toy) == 4
    assert (after_one, hold_money().state().position) == (Position.HALF_OPEN, Position.CLOSED)


def test_probes_nobody_is_there_for_are_free_for_others(time: Time, toy: Script) -> None:
    half_open(time, toy)
    start()
    run("open_case")

    assert hold_money().admit(10).count == POLICY.probes


def test_what_only_asks_what_was_done_proves_nothing(time: Time, toy: Script) -> None:
    toy.replies["hold_money"] = [Unknown("bank.silent")] * 3
    start_many([f"A-{n}" for n in range(3)])
    run("open_case")
    time.forward(21)
    run("hold_money")

    assert calls(toy, "hold_money?") == 3
    assert hold_money().state().position is Position.HALF_OPEN
    assert hold_money().admit(10).count == POLICY.probes


def test_a_probe_that_the_budget_has_no_room_for_frees_its_place(
    time: Time, toy: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_down(toy)
    time.forward(21)
    monkeypatch.setattr(circuits.budget_of(get_step("sagas.hold_money")), "repeat", lambda: False)
    run("hold_money")

    assert calls(toy) == 3
    assert hold_money().admit(10).count == POLICY.probes


def test_a_probe_that_the_rate_has_no_room_for_frees_its_place(
    time: Time, toy: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    half_open(time, toy)
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, provider_rates={"bank": 1}))

    assert circuits.admit(get_step("sagas.hold_money"), 10).count == 1
    assert hold_money().admit(10).count == POLICY.probes - 1


def test_a_long_outage_does_not_push_out_what_a_step_remembers(time: Time, toy: Script) -> None:
    break_down(toy, sagas=4)
    for _ in range(30):
        time.forward(21)
        run("hold_money")

    words = [
        [entry[2:4] for entry in step.history] for step in SagaStep.objects.filter(name="sagas.hold_money")
    ]
    assert all(one != two for history in words for one, two in pairwise(history))


def test_a_lost_race_of_our_own_is_no_failure_of_theirs(time: Time, toy: Script) -> None:
    toy.replies["hold_money"] = [LostRace()] * 5
    start_many([f"A-{n}" for n in range(5)])
    run("open_case")

    assert hold_money().state().failures == 0


def test_a_rate_holds_all_steps_of_a_provider(
    time: Time, toy: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, provider_rates={"bank": 4}))
    start_many([f"A-{n}" for n in range(20)])
    run("open_case")
    first = calls(toy) + calls(toy, "take_money")
    time.forward(1)
    run("hold_money")
    run("take_money")

    assert first == 4
    assert calls(toy) + calls(toy, "take_money") == 8


def test_repeats_beyond_the_budget_wait_and_use_up_no_try(
    time: Time, toy: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = replace(POLICY, failure_threshold=10**9)
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, circuit=patient))
    toy.replies["hold_money"] = [DOWN] * 100
    start_many([f"A-{n}" for n in range(100)])
    run("open_case")
    time.forward(11)
    run("hold_money")

    repeats = calls(toy) - 100
    assert 50 <= repeats <= 80
    assert SagaStep.objects.filter(code="retry_budget").count() == 100 - repeats


def test_what_an_outage_put_off_is_a_first_call_and_no_repeat(
    time: Time, toy: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_money().note(Tally(failures=3))
    start_many([f"A-{n}" for n in range(100)])
    run("open_case")
    assert SagaStep.objects.filter(code="circuit_open", tries=1).count() == 100
    monkeypatch.setattr(circuits.budget_of(get_step("sagas.hold_money")), "repeat", lambda: False)

    for _ in range(3):
        time.forward(21)
        run("hold_money")

    assert calls(toy) == 100
