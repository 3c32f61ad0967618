"""The same calls through our circuit and through pybreaker's: the same positions at every moment.

pybreaker counts failures in a row, without a window, a rate, a ramp or a bound on probes at once; so those are set out
of the way here. One call at a time, as it makes them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pybreaker
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagas.resilience.circuit import CircuitPolicy, CircuitState, Tally, ask, heard

THRESHOLD, RECOVERY, SUCCESSES = 3, 10, 2
POLICY = CircuitPolicy(
    failure_threshold=THRESHOLD, monitoring_period=1e9, minimum_volume=10**9, recovery_timeout=RECOVERY,
    probes=1, successes_to_close=SUCCESSES, ramp_seconds=0,
)  # fmt: skip
NAMES = {"closed": "closed", "open": "open", "half-open": "half_open"}
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


class Both:
    """One sequence of calls through both."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        self.ours = CircuitState()
        self.theirs = pybreaker.CircuitBreaker(
            fail_max=THRESHOLD, reset_timeout=RECOVERY, success_threshold=SUCCESSES
        )
        both = self

        class Moment(datetime):
            @classmethod
            def now(cls, _tz: Any = None) -> Any:
                return BEGIN + timedelta(seconds=both.now)

        monkeypatch.setattr(pybreaker, "datetime", Moment)

    def call(self, well: bool) -> tuple[bool, bool]:
        """Make one call; whether each let it through."""
        self.ours, grant = ask(self.ours, POLICY, 1, self.now)
        if grant.count:
            told = {"probe_successes" if grant.probing else "successes": 1} if well else {
                "probe_failures" if grant.probing else "failures": 1
            }  # fmt: skip
            self.ours = heard(self.ours, POLICY, Tally(**told), self.now)
        return bool(grant.count), self._call_theirs(well)

    def _call_theirs(self, well: bool) -> bool:
        went = []

        def make() -> None:
            went.append(1)
            if not well:
                raise ConnectionError

        try:
            self.theirs.call(make)
        except (pybreaker.CircuitBreakerError, ConnectionError):
            return bool(went)
        return True

    def positions(self) -> tuple[str, str]:
        return self.ours.stands.value, NAMES[self.theirs.current_state]


CALLS = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.5, 4.0, 9.5, 10.5, 30.0])), max_size=60)


@given(calls=CALLS)
def test_both_let_the_same_calls_through_and_stand_at_the_same_position(
    calls: list[tuple[bool, float]],
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        both = Both(monkeypatch)
        for well, wait in calls:
            both.now += wait
            ours, theirs = both.call(well)

            assert ours == theirs
            assert len(set(both.positions())) == 1


def test_the_comparison_goes_through_every_position() -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        both = Both(monkeypatch)
        seen = []
        script = [(False, 0.0)] * THRESHOLD + [
            (True, 1.0),
            (False, 10.0),
            (True, 10.5),
            (True, 0.0),
            (True, 0.0),
        ]
        for well, wait in script:
            both.now += wait
            both.call(well)
            seen.append(both.positions()[0])

    assert [seen[0], *[b for a, b in pairwise(seen) if a != b]] == ["closed", "open", "half_open", "closed"]
