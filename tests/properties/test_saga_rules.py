"""Properties of the rules: any mix of refusals, repeats, losses, late answers, deaths and intents ends in balance."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sagas.definition import SagaDefinition
from tests.properties.world import World, silent
from tests.sagas import toys

VERDICTS = [
    "done", "refused", "unavailable", "unknown_done", "unknown_not_done", "killed", "lost", "paused", "waiting", "bug",
]  # fmt: skip
WEIGHTED = VERDICTS + ["done"] * 5
LATE = ["done", "done", "waiting", "unknown_done", "unknown_not_done", "refused", "unavailable", "bug"]
ASKED = ["cancel", "turn_back", "retry", "pause", "resume"]

Act = tuple[str, int, str]

ACTS = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 3), st.sampled_from(WEIGHTED)),
    st.tuples(st.just("run"), st.integers(0, 3), st.just("done")),
    st.tuples(st.just("late"), st.integers(0, 3), st.sampled_from(LATE)),
    st.tuples(st.just("wait"), st.sampled_from([0, 5, 11, 61]), st.just("")),
    st.tuples(st.just("ask"), st.just(0), st.sampled_from(ASKED)),
    st.tuples(st.just("skip"), st.integers(0, 3), st.just("")),
    st.tuples(st.just("resolve"), st.just(0), st.sampled_from(["completed", "compensated"])),
    st.tuples(st.just("deadline"), st.just(0), st.just("")),
)
#: A worker that falls asleep before its call; its lease runs out, and somebody may have asked for the way back.
ASLEEP: list[Act] = [("run", 0, "paused"), ("wait", 61, "")]
HEADWINDS: list[list[Act]] = [
    [],
    [],
    ASLEEP,
    [*ASLEEP, ("ask", 0, "cancel")],
    [("run", 1, "paused"), ("run", 0, "bug")],
]
HISTORIES = st.builds(
    lambda before, acts: before + acts, st.sampled_from(HEADWINDS), st.lists(ACTS, max_size=40)
)
#: How many steps went well before anything happened.
HEADS = st.integers(0, 4)
DEFINITIONS = st.sampled_from([toys.TOY, toys.PAIR])

often = settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
less_often = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def play(definition: SagaDefinition, head: int, acts: list[Act]) -> World:
    """Live through a history; at no moment is the saga silently stuck."""
    world = World(definition)
    for what, number, how in [("run", 0, "done")] * head + acts:
        _act(world, what, number, how)
        assert not silent(world), (world.saga, list(world.rows.values()))
        assert world.saga.state not in ("completed", "compensated") or world.saga.hold == "none"
        assert world.saga.hold_reason != "nothing left that can run"
    return world


def _act(world: World, what: str, number: int, how: str) -> None:
    match what:
        case "run":
            if due := world.due():
                world.run(due[number % len(due)], how)
        case "late":
            if lingering := [f for f in world.flights if f.lingers]:
                world.wake(lingering[number % len(lingering)], how)
        case "wait":
            world.now += timedelta(seconds=number)
        case "skip":
            if rows := [r for r in world.rows.values() if r.state in ("due", "gave_up")]:
                world.skip(rows[number % len(rows)])
        case "resolve":
            world.resolve(how)
        case "deadline":
            world.pass_deadline()
        case _:
            world.ask(how)


#: A worker stops before its call; another proves that nothing was done; then the first goes on and does it. What the
#: bank says to a new intent, begun after that or out there meanwhile, is no answer to whether it was done.
LATE_SUCCESS = [
    ("run", 0, "paused"),
    ("wait", 61, ""),
    ("run", 0, "done"),
    ("late", 0, "done"),
    ("run", 0, "refused"),
]
CROSSED = [*LATE_SUCCESS[:3], ("run", 0, "paused"), ("late", 0, "done"), ("late", 0, "refused")]

#: A person ends an undo by hand, and says after it that the step itself was done: then it has to be undone after all.
SKIPPED_LATE = [
    *[("run", 0, "paused"), ("wait", 61, ""), ("ask", 0, "cancel"), ("skip", 1, "")],
    *[("late", 0, "bug"), ("skip", 1, ""), ("skip", 0, "")],
]


@often
@given(DEFINITIONS, HEADS, HISTORIES, st.sampled_from(["done", "unknown_done"]))
@example(toys.TOY, 1, SKIPPED_LATE, "done")
@example(toys.TOY, 1, LATE_SUCCESS, "done")
@example(toys.TOY, 1, CROSSED, "done")
def test_every_history_ends_with_everything_done_or_everything_given_back(
    definition: SagaDefinition, head: int, acts: list[Act], late: str
) -> None:
    world = play(definition, head, acts)

    world.settle(late)

    assert world.saga.hold == "none"
    if world.saga.state == "completed":
        assert world.live >= world.everything
    else:
        assert world.live == set()
    assert world.done_ever.count("take_money") <= 1


@less_often
@given(DEFINITIONS, HEADS, HISTORIES)
def test_the_first_step_is_undone_last(definition: SagaDefinition, head: int, acts: list[Act]) -> None:
    world = play(definition, head, acts)

    world.settle()

    if "close_case" in world.undone:
        late = world.undone[world.undone.index("close_case") + 1 :]
        assert set(late) <= {"free_money", "close_case"}, "only what came in late may follow"


@less_often
@given(HEADS, HISTORIES)
def test_behind_the_pivot_nothing_turns_back(head: int, acts: list[Act]) -> None:
    world = play(toys.TOY, head, [act for act in acts if act[0] != "resolve"])
    taken = world.rows.get((3, "do"))
    passed = taken is not None and taken.state == "done" and world.saga.state != "compensating"

    world.settle()

    if passed:
        assert world.saga.state == "completed"


#: After a saga was resolved a late doubt opens its pivot again, and a person says that it was done.
SAID_LATE = [
    *[("run", 0, "paused"), ("wait", 61, ""), ("ask", 0, "pause"), ("resolve", 0, "compensated")],
    *[("late", 0, "unknown_done"), ("skip", 0, "")],
]


@less_often
@given(DEFINITIONS, HEADS, HISTORIES)
@example(toys.TOY, 3, SAID_LATE)
def test_a_person_is_needed_only_for_what_cannot_be_given_back(
    definition: SagaDefinition, head: int, acts: list[Act]
) -> None:
    world = play(definition, head, acts)

    world.settle()

    if world.by_hand:
        done = [r for r in world.rows.values() if r.direction == "do" and r.state in ("done", "skipped")]
        assert any(r.position in world.for_good for r in done)


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("position", range(5))
def test_each_verdict_at_each_step_ends_in_balance(position: int, verdict: str) -> None:
    world = World()

    for _ in range(5):
        for row in world.due():
            world.run(row, verdict if row.position == position and row.direction == "do" else "done")
    world.settle()

    assert world.saga.state in ("completed", "compensated")
    assert world.live == (world.everything if world.saga.state == "completed" else set())
