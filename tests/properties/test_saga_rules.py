"""Properties of the rules: any mix of refusals, repeats, losses, late answers, deaths and intents ends in balance."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.properties.world import World, silent

VERDICTS = ["done", "refused", "unavailable", "unknown_done", "unknown_not_done", "killed", "lost", "paused"]
WEIGHTED = VERDICTS + ["done"] * 5

ACTS = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 3), st.sampled_from(WEIGHTED)),
    st.tuples(st.just("late"), st.integers(0, 3), st.just("")),
    st.tuples(st.just("wait"), st.sampled_from([0, 5, 11, 61]), st.just("")),
    st.tuples(
        st.just("ask"), st.just(0), st.sampled_from(["cancel", "turn_back", "retry", "pause", "resume"])
    ),
)

ALL = {"open_case", "hold_money", "keep_goods", "take_money", "tell_shop"}


def play(world: World, acts: list[tuple[str, int, str]]) -> None:
    for what, number, how in acts:
        match what:
            case "run":
                due = world.due()
                if due:
                    world.run(due[number % len(due)], how)
            case "late":
                lingering = [f for f in world.flights if f.lingers]
                if lingering:
                    world.wake(lingering[number % len(lingering)])
            case "wait":
                world.now += timedelta(seconds=number)
            case _:
                world.ask(how)
        assert not silent(world), (world.saga, list(world.rows.values()))


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTS, max_size=40))
def test_every_history_ends_with_everything_done_or_everything_given_back(
    acts: list[tuple[str, int, str]],
) -> None:
    world = World()

    play(world, acts)
    world.settle()

    if world.saga.state == "completed":
        assert world.live == ALL
    else:
        assert world.live == set()
    assert world.done_ever.count("take_money") <= 1


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTS, max_size=40))
def test_the_first_step_is_undone_last(acts: list[tuple[str, int, str]]) -> None:
    world = World()

    play(world, acts)
    world.settle()

    if "close_case" in world.undone:
        late = world.undone[world.undone.index("close_case") + 1 :]
        assert set(late) <= {"free_money", "close_case"}, "only what came in late may follow"


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTS, max_size=40))
def test_behind_the_pivot_nothing_turns_back(acts: list[tuple[str, int, str]]) -> None:
    world = World()

    play(world, acts)
    taken = world.rows.get((3, "do"))
    passed = taken is not None and taken.state == "done" and world.saga.state != "compensating"
    world.settle()

    if passed:
        assert world.saga.state == "completed"


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("position", range(5))
def test_each_verdict_at_each_step_ends_in_balance(position: int, verdict: str) -> None:
    world = World()

    for _ in range(5):
        for row in world.due():
            world.run(row, verdict if row.position == position and row.direction == "do" else "done")
    world.settle()

    assert world.saga.state in ("completed", "compensated")
    assert world.live == (ALL if world.saga.state == "completed" else set())
