"""The rules of a circuit, step by step. They are pure: times are plain numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sagas.resilience.circuit import (
    CircuitPolicy,
    CircuitState,
    Forced,
    Position,
    Tally,
    ask,
    force,
    give_back,
    heard,
    volume,
)

POLICY = CircuitPolicy(
    failure_threshold=3, monitoring_period=10, failure_rate=0.5, minimum_volume=8, recovery_timeout=5,
    longest_wait=60, probes=2, probe_seconds=30, successes_to_close=2, ramp_seconds=4, ramp_from=2, ramp_to=10,
)  # fmt: skip
GOOD, BAD = Tally(successes=1), Tally(failures=1)
PROVEN, FAILED = Tally(probe_successes=1), Tally(probe_failures=1)


def after(*told: tuple[float, Tally], state: CircuitState | None = None) -> CircuitState:
    """The state once these were heard, each at its time."""
    state = state or CircuitState()
    for now, tally in told:
        state = heard(state, POLICY, tally, now)
    return state


def opened(at: float = 2.0) -> CircuitState:
    return after((at, BAD), (at, BAD), (at, BAD))


def half_open() -> CircuitState:
    """Half-open since 7.0, with one probe out."""
    return ask(opened(), POLICY, 1, 7.0)[0]


def test_it_opens_at_so_many_failures_in_a_row() -> None:
    assert after((0, BAD), (1, BAD)).position is Position.CLOSED
    assert after((0, BAD), (1, BAD), (2, BAD)).position is Position.OPEN


def test_a_success_begins_the_row_anew() -> None:
    state = after((0, BAD), (1, BAD), (2, GOOD), (3, BAD), (4, BAD))

    assert state.position is Position.CLOSED


def test_failures_older_than_the_monitoring_period_are_not_in_the_row() -> None:
    assert after((0, BAD), (1, BAD), (10.5, BAD)).position is Position.CLOSED
    assert after((0, BAD), (1, BAD), (9.5, BAD)).position is Position.OPEN


def test_it_opens_when_the_share_of_failures_is_reached_and_there_were_enough_calls() -> None:
    mixed = [(t / 2, tally) for t in range(4) for tally in (BAD, GOOD)]

    assert after(*mixed[:7]).position is Position.CLOSED
    assert after(*mixed[:6], (3.5, GOOD), (3.6, BAD)).position is Position.OPEN


def test_too_few_calls_open_nothing_however_many_failed() -> None:
    state = after((0, BAD), (0.1, BAD), (0.2, GOOD), (0.3, BAD), (0.4, BAD))

    assert (state.position, volume(state)) == (Position.CLOSED, (1, 4))


def test_calls_slide_out_of_the_window() -> None:
    state = after((0, Tally(successes=5)), (4, Tally(successes=1)), (12, GOOD))

    assert volume(state) == (2, 0)


def test_open_it_refuses_until_the_recovery_timeout_is_over() -> None:
    state, grant = ask(opened(2.0), POLICY, 10, 6.9)

    assert (grant.count, grant.shut, grant.retry_at) == (0, True, 7.0)
    assert state == opened(2.0)


def test_then_a_few_probes_go_and_no_more_than_that() -> None:
    state, first = ask(opened(), POLICY, 10, 7.0)
    _, second = ask(state, POLICY, 10, 7.1)

    assert state.position is Position.HALF_OPEN
    assert (first.count, first.probing, second.count, second.shut) == (2, True, 0, False)


def test_a_failed_probe_opens_it_for_another_timeout() -> None:
    state = after((8.0, PROVEN), (9.0, FAILED), state=half_open())

    assert (state.position, state.retry_at, state.opened) == (Position.OPEN, 14.0, 2)


def test_several_successes_in_a_row_close_it() -> None:
    once = after((8.0, PROVEN), state=half_open())
    twice = after((8.5, PROVEN), state=ask(once, POLICY, 1, 8.2)[0])

    assert (once.position, twice.position, twice.ramp_since) == (Position.HALF_OPEN, Position.CLOSED, 8.5)


def test_half_open_listens_to_its_probes_only() -> None:
    state = half_open()

    assert after((8.0, Tally(failures=5, successes=5)), state=state) == state


def test_a_probe_that_never_comes_back_frees_its_place_in_time() -> None:
    state, _ = ask(half_open(), POLICY, 1, 7.0)
    full = ask(state, POLICY, 5, 36.0)[1]
    freed = ask(state, POLICY, 5, 37.5)[1]

    assert (full.count, full.retry_at, freed.count) == (0, 37.0, 2)


def test_a_probe_that_told_nothing_frees_its_place_and_proves_nothing() -> None:
    state = after((8.0, Tally(freed=1)), state=half_open())

    assert (state.out, state.proven, state.position) == ((), 0, Position.HALF_OPEN)


def test_probes_that_were_not_made_are_given_back() -> None:
    state, grant = ask(opened(), POLICY, 2, 7.0)

    assert give_back(state, grant, 2).out == ()


def test_a_provider_that_asks_for_more_time_gets_it_within_bounds() -> None:
    told = Tally(failures=3, wait_seconds=20)
    long = Tally(failures=3, wait_seconds=9_999)

    assert (after((0, told)).retry_at, after((0, long)).retry_at) == (20, 60)


def test_closed_again_calls_come_back_along_a_ramp() -> None:
    state = after((8.0, PROVEN), (8.0, PROVEN), state=half_open())
    counts = []
    for tenth in range(0, 40, 5):
        state, grant = ask(state, POLICY, 1_000, 8.0 + tenth / 10)
        counts.append(grant.count)

    assert counts == [1, 1, 2, 2, 3, 3, 4, 4]
    assert sum(counts) == POLICY.allowance(3.5) == 1 + 7 + 12


def test_on_the_ramp_what_is_not_used_may_be_used_later() -> None:
    state = after((8.0, PROVEN), (8.0, PROVEN), state=half_open())
    state, grant = ask(state, POLICY, 1_000, 10.0)
    state = give_back(state, grant, 3)

    assert (grant.count, ask(state, POLICY, 1_000, 10.0)[1].count) == (9, 3)


def test_the_ramp_says_when_the_next_call_may_go() -> None:
    state = after((8.0, PROVEN), (8.0, PROVEN), state=half_open())
    state, _ = ask(state, POLICY, 1_000, 10.0)
    _, none = ask(state, POLICY, 1, 10.0)

    assert (none.count, none.shut) == (0, False)
    assert none.retry_at is not None
    assert ask(state, POLICY, 1, none.retry_at + 1e-6)[1].count == 1
    assert ask(state, POLICY, 1, none.retry_at - 1e-3)[1].count == 0


def test_after_the_ramp_all_go() -> None:
    state = after((8.0, PROVEN), (8.0, PROVEN), state=half_open())
    state, grant = ask(state, POLICY, 1_000, 12.0)

    assert (grant.count, grant.counted, state.ramp_since) == (1_000, False, 0.0)


def test_failures_on_the_ramp_open_it_again() -> None:
    closed = after((8.0, PROVEN), (8.0, PROVEN), state=half_open())

    assert after((8.1, Tally(failures=3)), state=closed).position is Position.OPEN


@pytest.mark.parametrize(("position", "count"), [(Position.OPEN, 0), (Position.CLOSED, 10)])
def test_a_person_holds_it_whatever_its_calls_do(position: Position, count: int) -> None:
    forced = Forced(position=position, actor="ada", reason="maintenance", since=1.0)
    state = force(CircuitState(), forced, 1.0)
    state = after((2, Tally(failures=50)), (3, Tally(successes=50)), state=state)

    assert state.stands is position
    assert ask(state, POLICY, 10, 4.0)[1].count == count


def test_released_it_begins_closed_with_a_ramp_and_without_memory() -> None:
    forced = Forced(position=Position.OPEN, actor="ada", reason="maintenance", since=1.0)
    state = force(force(opened(), forced, 3.0), None, 9.0)

    assert (state.stands, state.ramp_since, state.window) == (Position.CLOSED, 9.0, ())
    assert force(state, None, 10.0) == state


def test_forcing_twice_is_forcing_once() -> None:
    forced = Forced(position=Position.OPEN, actor="ada", reason="maintenance", since=1.0)
    once = force(CircuitState(), forced, 1.0)

    assert force(once, forced, 2.0) == once


def test_successes_that_were_told_of_together_with_failures_come_first() -> None:
    state = after((0, BAD), (0, BAD), (1, replace(GOOD, failures=2)))

    assert (len(state.in_a_row), state.position) == (2, Position.CLOSED)
