"""The rules where two things meet: parallel steps, people's acts, late answers, time-outs. No database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sagas import steps
from sagas.engine.rows import StepRow
from sagas.verdicts import Unavailable
from tests.properties.world import START, Flight, World, silent
from tests.sagas import toys


def at(world: World, name: str) -> StepRow:
    return next(r for r in world.rows.values() if r.name == f"sagas.{name}")


def run(world: World, *names: str, verdict: str = "done") -> None:
    for name in names:
        world.run(at(world, name), verdict)


def in_pair(*names: str) -> World:
    """A saga whose second stage holds two steps side by side, with the first stage done."""
    world = World(toys.PAIR)
    run(world, "open_case", *names)
    return world


def flying(world: World, name: str) -> Flight:
    """A call to `name` that is out and has not come back."""
    run(world, name, verdict="paused")
    return world.flights[-1]


def held(world: World) -> tuple[str, str]:
    return world.saga.state, world.saga.hold


# --- side by side ------------------------------------------------------------------------------------------


def test_a_step_that_waits_does_not_hide_that_its_neighbour_is_parked() -> None:
    world = in_pair()
    call = flying(world, "hold_money")
    run(world, "keep_goods", verdict="bug")

    world.wake(call, "waiting")
    world.now += timedelta(minutes=1)
    run(world, "hold_money")

    assert held(world) == ("running", "parked")
    assert not silent(world)


def test_a_neighbours_answer_does_not_hide_that_a_step_waits() -> None:
    world = in_pair()
    run(world, "hold_money", verdict="waiting")

    run(world, "keep_goods")

    assert held(world) == ("running", "waiting")
    assert world.saga.hold_reason == "customer"


def test_skipping_one_of_two_parked_neighbours_leaves_the_other_to_a_person() -> None:
    world = in_pair()
    run(world, "hold_money", verdict="bug")
    world.rows[2, "do"] = replace(at(world, "keep_goods"), wake_at=None, code="bug")

    world.skip(at(world, "hold_money"))

    assert held(world) == ("running", "parked")
    world.ask("retry")
    run(world, "keep_goods", "tell_shop")
    assert world.saga.state == "completed"


def test_a_refusal_while_the_neighbours_call_is_out_settles_and_undoes_that_call() -> None:
    world = in_pair()
    call = flying(world, "hold_money")
    run(world, "keep_goods", verdict="refused")

    world.wake(call)
    world.settle()

    assert held(world) == ("compensated", "none")
    assert world.live == set()
    assert world.undone == ["free_money", "close_case"]


# --- people ------------------------------------------------------------------------------------------------


def test_a_saga_that_completes_while_it_is_paused_is_not_held_for_ever() -> None:
    world = World()
    run(world, "open_case", "hold_money", "keep_goods", "take_money")
    flight = world.claim(at(world, "tell_shop"))
    world.ask("pause")

    world.record(flight, world.really_do(flight.row))

    assert held(world) == ("completed", "none")


def test_skipping_the_step_that_waits_lifts_the_waiting() -> None:
    world = World()
    run(world, "open_case")
    run(world, "hold_money", verdict="waiting")

    world.skip(at(world, "hold_money"))

    assert held(world) == ("running", "none")


def test_a_success_after_a_person_resolved_the_saga_as_compensated_is_undone() -> None:
    world = World()
    run(world, "open_case")
    call = flying(world, "hold_money")
    world.ask("pause")
    world.resolve("compensated")

    world.wake(call)
    world.settle()

    assert held(world) == ("compensated", "none")
    assert world.live == set()
    assert world.undone == ["free_money"]


def test_an_unknown_answer_after_the_end_is_settled_and_undone() -> None:
    world = World()
    run(world, "open_case")
    call = flying(world, "hold_money")
    world.ask("pause")
    world.resolve("compensated")

    world.wake(call, "unknown_done")
    world.settle()

    assert held(world) == ("compensated", "none")
    assert world.live == set()


def test_money_taken_after_a_person_resolved_the_saga_as_compensated_calls_a_person() -> None:
    world = World()
    run(world, "open_case", "hold_money", "keep_goods")
    call = flying(world, "take_money")
    world.ask("pause")
    world.resolve("compensated")
    world.live.add("hold_money")

    world.wake(call)

    assert held(world) == ("compensating", "parked")
    assert world.saga.hold_reason == "sagas.take_money: done, and cannot be given back"
    world.ask("retry")
    assert held(world) == ("compensating", "parked")
    world.resolve("completed")
    assert held(world) == ("completed", "none")


def test_a_bug_in_a_worker_that_lingers_stops_nobody_else() -> None:
    world = World()
    run(world, "open_case")
    call = flying(world, "hold_money")
    world.now += timedelta(minutes=2)
    run(world, "hold_money", "hold_money", "keep_goods", "take_money", "tell_shop")
    done = held(world)

    world.wake(call, "bug")

    assert done == held(world) == ("completed", "none")


def test_a_bug_in_a_worker_that_lingers_does_not_take_the_lease_of_another() -> None:
    world = World()
    run(world, "open_case")
    first = flying(world, "hold_money")
    world.now += timedelta(minutes=2)
    second = flying(world, "hold_money")

    world.wake(first, "bug")

    assert held(world) == ("running", "none")
    assert at(world, "hold_money").lease_until is not None
    world.wake(second)
    world.settle()
    assert world.saga.state == "completed"


def test_a_late_success_of_an_undone_step_waits_for_its_turn_among_the_undos() -> None:
    world = World(toys.PAIR)
    run(world, "open_case")
    call = flying(world, "hold_money")
    world.now += timedelta(minutes=2)
    run(world, "hold_money", "keep_goods")
    world.ask("cancel")
    run(world, "return_goods", verdict="killed")

    world.wake(call)
    world.settle()

    assert held(world) == ("compensated", "none")
    assert world.live == set()


# --- deadlines and time-outs -------------------------------------------------------------------------------


def test_a_deadline_turns_a_saga_back_once() -> None:
    world = World()
    run(world, "open_case")
    world.now += timedelta(minutes=5)
    world.ask("cancel")
    epoch = world.saga.epoch

    world.pass_deadline()

    assert (world.saga.epoch, world.saga.cause) == (epoch, "intent")


@pytest.mark.parametrize("act", ["pause", ""])
def test_a_deadline_that_is_not_passed_or_meets_a_pause_does_nothing(act: str) -> None:
    world = World()
    run(world, "open_case")
    if act:
        world.ask(act)
        world.now += timedelta(minutes=5)

    world.pass_deadline()

    assert world.saga.state == "running"


def test_a_deadline_waits_for_a_pivot_that_is_out() -> None:
    world = World()
    run(world, "open_case", "hold_money", "keep_goods")
    call = flying(world, "take_money")
    world.now += timedelta(minutes=5)

    world.pass_deadline()
    world.wake(call)
    world.settle()

    assert world.saga.state == "completed"


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every toy step has 30 seconds."""
    for name in ("hold_money", "take_money", "tell_shop"):
        step = steps.get_step(f"sagas.{name}")
        policy = replace(step.retry, attempts=100, timeout=30.0)
        monkeypatch.setitem(steps._steps, step.name, replace(step, retry=policy))


@pytest.mark.usefixtures("bounded")
def test_a_step_past_its_time_out_turns_back_before_the_pivot() -> None:
    world = World()
    run(world, "open_case")
    run(world, "hold_money", verdict="unavailable")
    before = held(world)
    world.now += timedelta(seconds=31)

    run(world, "hold_money", verdict="unavailable")

    assert before == ("running", "none")
    assert (world.saga.state, world.saga.cause, world.saga.cause_code) == (
        "compensating",
        "deadline",
        "step_timed_out",
    )


@pytest.mark.usefixtures("bounded")
def test_a_step_past_its_time_out_parks_behind_the_pivot_and_a_retry_gives_it_its_time_again() -> None:
    world = World()
    run(world, "open_case", "hold_money", "keep_goods", "take_money")
    run(world, "tell_shop", verdict="unavailable")
    world.now += timedelta(seconds=31)
    run(world, "tell_shop", verdict="unavailable")
    parked = world.saga.hold_reason

    world.ask("retry")
    run(world, "tell_shop", verdict="unavailable")

    assert parked == "sagas.tell_shop: timed out, busy"
    assert held(world) == ("running", "none")


@pytest.mark.usefixtures("bounded")
def test_a_pivot_whose_outcome_is_unknown_does_not_time_out() -> None:
    world = World()
    run(world, "open_case", "hold_money", "keep_goods")
    run(world, "take_money", verdict="unknown_done")
    world.now += timedelta(seconds=31)

    flight = world.claim(at(world, "take_money"))
    world.record(flight, Unavailable("busy"))

    assert world.saga.state == "running"
    world.settle()
    assert world.saga.state == "completed"


@pytest.mark.usefixtures("bounded")
def test_a_step_that_waits_is_looked_at_again_when_its_time_is_over() -> None:
    world = World()
    run(world, "open_case")

    run(world, "hold_money", verdict="waiting")

    assert at(world, "hold_money").wake_at == START + timedelta(seconds=30)
    world.now += timedelta(seconds=30)
    run(world, "hold_money", verdict="waiting")
    assert (world.saga.state, world.saga.cause_code) == ("compensating", "step_timed_out")
