"""The rules of a circuit breaker, pure: (state, what happened, now) -> state. Times are seconds since the epoch.

Closed, calls go through and their failures are watched. Open, none goes. After the recovery time-out it is half-open:
a few probes at a time go, several successes in a row close it, one failure opens it again. Closed again, calls come
back along a ramp, so that what has waited does not fall upon a provider that has just got up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import floor, sqrt

#: The monitoring period is watched in so many slots.
SLOTS = 10


class Position(StrEnum):
    """Where a circuit stands."""

    CLOSED = "closed"  #: Calls go through.
    OPEN = "open"  #: Calls are refused until the recovery time-out is over.
    HALF_OPEN = "half_open"  #: A few probes go through.


@dataclass(frozen=True, kw_only=True)
class CircuitPolicy:
    """When a circuit opens and how it closes.

    It opens at `failure_threshold` failures in a row within `monitoring_period` seconds, or when of at least
    `minimum_volume` calls within that period the share `failure_rate` failed. `recovery_timeout` seconds later, or
    after as long as the provider asked to be left alone (`longest_wait` at most), up to `probes` calls at once are let
    through, each for `probe_seconds` at most; `successes_to_close` of them in a row close it. For `ramp_seconds` after
    that the rate of calls rises evenly from `ramp_from` to `ramp_to` a second.
    """

    failure_threshold: int = 5
    monitoring_period: float = 30.0
    failure_rate: float = 0.5
    minimum_volume: int = 20
    recovery_timeout: float = 10.0
    longest_wait: float = 300.0
    probes: int = 3
    probe_seconds: float = 30.0
    successes_to_close: int = 3
    ramp_seconds: float = 10.0
    ramp_from: float = 5.0
    ramp_to: float = 200.0

    def allowance(self, elapsed: float) -> int:
        """How many calls the ramp has let through in all, `elapsed` seconds after the circuit closed."""
        t = max(0.0, elapsed)
        return 1 + floor(self.ramp_from * t + self._slope * t * t / 2)

    def reached(self, count: int) -> float:
        """After how many seconds the ramp lets call number `count` through."""
        wanted, slope = count - 1, self._slope
        if slope <= 0:
            return wanted / self.ramp_from
        return (sqrt(self.ramp_from**2 + 2 * slope * wanted) - self.ramp_from) / slope

    @property
    def _slope(self) -> float:
        return (self.ramp_to - self.ramp_from) / self.ramp_seconds if self.ramp_seconds else 0.0


@dataclass(frozen=True, kw_only=True)
class Forced:
    """A person holds the circuit in one position."""

    position: Position
    actor: str
    reason: str
    since: float


@dataclass(frozen=True, kw_only=True)
class CircuitState:
    """One circuit as all workers share it."""

    position: Position = Position.CLOSED
    since: float = 0.0
    retry_at: float = 0.0  #: Open: when probes may go.
    window: tuple[tuple[int, int, int], ...] = ()  #: (slot, successes, failures), oldest first.
    in_a_row: tuple[float, ...] = ()  #: Closed: when the failures since the last success came.
    proven: int = 0  #: Half-open: successes of probes in a row.
    out: tuple[float, ...] = ()  #: Half-open: until when each probe that is out there counts.
    ramp_since: float = 0.0  #: Closed: when the ramp began; 0 when there is none.
    granted: int = 0  #: Closed: calls that the ramp has let through.
    forced: Forced | None = None
    opened: int = 0  #: How often it has opened.

    @property
    def stands(self) -> Position:
        """Where it stands for callers: where a person holds it, or else where its calls brought it."""
        return self.forced.position if self.forced else self.position


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What came of calls. `probe_*` are of probes that half-open let through, `freed` those that told nothing."""

    successes: int = 0
    failures: int = 0
    probe_successes: int = 0
    probe_failures: int = 0
    freed: int = 0
    wait_seconds: float = 0.0  #: The longest time that the provider asked to be left alone for.

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            successes=self.successes + other.successes,
            failures=self.failures + other.failures,
            probe_successes=self.probe_successes + other.probe_successes,
            probe_failures=self.probe_failures + other.probe_failures,
            freed=self.freed + other.freed,
            wait_seconds=max(self.wait_seconds, other.wait_seconds),
        )

    @property
    def urgent(self) -> bool:
        """Whether other workers should know at once."""
        return bool(self.failures or self.probe_successes or self.probe_failures or self.freed)


@dataclass(frozen=True)
class Grant:
    """How many calls may go now, whether as probes, and if none may, when to ask again."""

    count: int
    probing: bool = False
    counted: bool = False  #: The state counts them: what is not used is given back.
    shut: bool = False  #: None may, until `retry_at`.
    retry_at: float | None = None


Ruled = tuple[CircuitState, Grant]


def ask(state: CircuitState, policy: CircuitPolicy, want: int, now: float) -> Ruled:
    """Ask for up to `want` calls."""
    match state.stands:
        case Position.CLOSED:
            return _on_the_ramp(state, policy, want, now)
        case Position.OPEN if state.forced or now < state.retry_at:
            until = now + policy.recovery_timeout if state.forced else state.retry_at
            return state, Grant(0, shut=True, retry_at=until)
        case Position.OPEN:
            return _probe(
                replace(state, position=Position.HALF_OPEN, since=now, proven=0, out=()), policy, want, now
            )
        case _:
            return _probe(state, policy, want, now)


def _on_the_ramp(state: CircuitState, policy: CircuitPolicy, want: int, now: float) -> Ruled:
    if not state.ramp_since or state.forced:
        return state, Grant(want)
    elapsed = now - state.ramp_since
    if elapsed >= policy.ramp_seconds:
        return replace(state, ramp_since=0.0, granted=0), Grant(want)
    count = max(0, min(want, policy.allowance(elapsed) - state.granted))
    if count == 0:
        return state, Grant(0, retry_at=state.ramp_since + policy.reached(state.granted + 1))
    return replace(state, granted=state.granted + count), Grant(count, counted=True)


def _probe(state: CircuitState, policy: CircuitPolicy, want: int, now: float) -> Ruled:
    out = tuple(until for until in state.out if until > now)
    count = min(want, policy.probes - len(out))
    if count <= 0:
        return replace(state, out=out), Grant(0, retry_at=min(out))
    out += (now + policy.probe_seconds,) * count
    return replace(state, out=out), Grant(count, probing=True, counted=True)


def give_back(state: CircuitState, grant: Grant, count: int) -> CircuitState:
    """Give back `count` calls of a grant that were not made."""
    if grant.probing:
        return _freed(state, count)
    return replace(state, granted=max(0, state.granted - count)) if state.ramp_since else state


def _freed(state: CircuitState, count: int) -> CircuitState:
    return replace(state, out=state.out[count:]) if count else state


def heard(state: CircuitState, policy: CircuitPolicy, tally: Tally, now: float) -> CircuitState:
    """Take in what came of calls."""
    if state.forced:
        return state
    match state.position:
        case Position.CLOSED:
            return _watched(state, policy, tally, now)
        case Position.HALF_OPEN:
            return _probed(state, policy, tally, now)
        case _:
            return state  # what was out there when it opened tells nothing new


def _watched(state: CircuitState, policy: CircuitPolicy, tally: Tally, now: float) -> CircuitState:
    good, bad = tally.successes + tally.probe_successes, tally.failures + tally.probe_failures
    if not good and not bad:
        return state
    since = now - policy.monitoring_period
    row = () if good else tuple(at for at in state.in_a_row if at > since)
    row = (row + (now,) * bad)[-policy.failure_threshold :]
    state = replace(state, in_a_row=row, window=_with(state, policy, good, bad, now))
    return _open(state, policy, tally, now) if _trips(state, policy) else state


def _with(
    state: CircuitState, policy: CircuitPolicy, good: int, bad: int, now: float
) -> tuple[tuple[int, int, int], ...]:
    slot = floor(now * SLOTS / policy.monitoring_period)
    kept = [entry for entry in state.window if slot - SLOTS < entry[0] <= slot]
    if kept and kept[-1][0] == slot:
        _, good_before, bad_before = kept.pop()
        good, bad = good + good_before, bad + bad_before
    return (*kept, (slot, good, bad))


def _trips(state: CircuitState, policy: CircuitPolicy) -> bool:
    if len(state.in_a_row) >= policy.failure_threshold:
        return True
    good, bad = volume(state)
    return good + bad >= policy.minimum_volume and bad >= policy.failure_rate * (good + bad)


def volume(state: CircuitState) -> tuple[int, int]:
    """Successes and failures in the monitoring period."""
    return sum(entry[1] for entry in state.window), sum(entry[2] for entry in state.window)


def _open(state: CircuitState, policy: CircuitPolicy, tally: Tally, now: float) -> CircuitState:
    wait = min(tally.wait_seconds, policy.longest_wait) or policy.recovery_timeout
    return CircuitState(
        position=Position.OPEN, since=now, retry_at=now + wait, opened=state.opened + 1, window=state.window
    )


def _probed(state: CircuitState, policy: CircuitPolicy, tally: Tally, now: float) -> CircuitState:
    if tally.probe_failures:
        return _open(state, policy, tally, now)
    state = _freed(state, tally.probe_successes + tally.freed)
    state = replace(state, proven=state.proven + tally.probe_successes)
    return _closed(state, now) if state.proven >= policy.successes_to_close else state


def _closed(state: CircuitState, now: float) -> CircuitState:
    return CircuitState(position=Position.CLOSED, since=now, ramp_since=now, opened=state.opened)


def force(state: CircuitState, forced: Forced | None, now: float) -> CircuitState:
    """Hold it in a position, or let it go: then it is closed, and calls come back along the ramp. Safe to repeat."""
    if forced is None:
        return _closed(state, now) if state.forced else state
    return replace(state, forced=forced)
