"""A circuit breaker for one operation of one provider, shared by all workers. The rules are in `circuit.py`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from prometheus_client import Counter

from sagas.resilience import circuit
from sagas.resilience.circuit import CircuitPolicy, CircuitState, Forced, Grant, Position, Tally
from sagas.resilience.hearing import Wire, listening
from sagas.resilience.shared import Kept, LocalStore, Store

logger = structlog.get_logger(__name__)

T = TypeVar("T")

#: What nearly every call comes to.
ONE_SUCCESS, NOTHING = Tally(successes=1), Tally()

#: How old what this process knows of a closed circuit may be before a claim looks again.
FRESH_SECONDS = 0.25
#: Successes are told to the others in so long.
TELL_SECONDS = 0.25

REFUSED = Counter(
    "waybill_circuit_refused_total",
    "Calls not made, because the circuit let none go.",
    ["provider", "operation"],
)
OPENED = Counter(
    "waybill_circuit_opened_total", "How often a circuit was seen to open.", ["provider", "operation"]
)


class CircuitOpen(Exception):
    """The call was not made. `retry_at` is when to ask again, in seconds since the epoch."""

    def __init__(self, name: str, retry_at: float) -> None:
        super().__init__(name)
        self.retry_at = retry_at


@dataclass(frozen=True, kw_only=True)
class CircuitReport:
    """Where a circuit stands, for people. Times are seconds since the epoch."""

    provider: str
    operation: str
    position: Position
    since: float
    retry_at: float | None
    successes: int
    failures: int
    opened: int
    forced: Forced | None
    shared: bool  #: Whether all workers share it just now.

    @property
    def calls(self) -> int:
        """Calls that were judged within the monitoring period."""
        return self.successes + self.failures


class Breaker:
    """One circuit as this process sees it. Threads may share it; after a fork a new one is needed."""

    def __init__(
        self,
        provider: str,
        operation: str,
        policy: CircuitPolicy,
        store: Store,
        alone: LocalStore | None = None,
    ) -> None:
        self.provider, self.operation, self.policy = provider, operation, policy
        self._kept: Kept[CircuitState] = Kept(f"circuit:{provider}:{operation}", CircuitState, store, alone)
        self._pending = NOTHING
        self._good = 0  # successes beside those of `_pending`
        self._told_at = time.monotonic()
        self._guard = threading.Lock()
        self._telling = threading.Lock()

    def admit(self, want: int) -> Grant:
        """How many of `want` calls may be made now. What a counted grant is not used for is to be given back."""
        state, now, age = self._kept.mirror()
        if age < FRESH_SECONDS and _settled(state, now):
            _, grant = circuit.ask(state, self.policy, want, now)
        else:
            grant = self._change(lambda s, at: circuit.ask(s, self.policy, want, at))
        if not grant.count:
            REFUSED.labels(self.provider, self.operation).inc()
        return grant

    def give_back(self, grant: Grant, count: int) -> None:
        """These calls of a grant will not be made."""
        if grant.counted and count > 0:
            self._change(lambda s, _: (circuit.give_back(s, grant, count), None))

    def shut_until(self) -> float | None:
        """Until when no call may go, as far as this process knows; None while some may. Asks nobody."""
        state, now, _ = self._kept.mirror()
        if state.stands is Position.CLOSED:
            return None
        _, grant = circuit.ask(state, self.policy, 1, now)
        return None if grant.count else grant.retry_at

    def lets(self, *, probing: bool) -> bool:
        """Whether a call that was admitted may still go: other calls may have opened the circuit meanwhile."""
        state, _, _ = self._kept.mirror()
        if state.stands is Position.CLOSED:
            return True
        return probing and state.forced is None

    def note(self, tally: Tally) -> None:
        """Take in what came of calls. Others learn of failures at once, of successes in a moment."""
        with self._guard:
            if tally is ONE_SUCCESS:
                self._good += 1
            elif tally is not NOTHING:
                self._pending += tally
        if self._is_due():
            self._tell()

    def wait_seconds(self) -> float:
        """How long from now until calls may go again; 0 while they may."""
        until = self.shut_until()
        _, now, _ = self._kept.mirror()
        return 0.0 if until is None else max(0.0, until - now)

    def room(self, want: int) -> int:
        """How many of `want` calls are worth preparing. Counts nothing: each call is admitted by itself."""
        state, now, age = self._kept.mirror()
        if age >= FRESH_SECONDS:
            state, now = self._kept.look()
        return circuit.ask(state, self.policy, want, now)[1].count

    def call(
        self,
        make: Callable[[], T],
        fallback: Callable[[CircuitOpen], T] | None = None,
        *,
        well: Callable[[T], bool] = lambda _: True,
    ) -> T:
        """Make one call and judge it by the wire, or where nothing was heard by its answer (`well`) or that it raised.

        One that may not be made is answered by the fallback, or raises CircuitOpen.
        """
        grant = self.admit(1)
        if not grant.count:
            shut = CircuitOpen(f"{self.provider}:{self.operation}", grant.retry_at or 0.0)
            if fallback is not None:
                return fallback(shut)
            raise shut
        with listening() as wire:
            try:
                answer = make()
            except Exception:
                self.note(tally_of(wire, well=False, probing=grant.probing))
                raise
        self.note(tally_of(wire, well=well(answer), probing=grant.probing))
        return answer

    def force(self, forced: Forced | None) -> None:
        """Hold the circuit in a position for everybody, or let it go. Safe to repeat."""
        self._change(lambda s, now: (circuit.force(s, forced, now), None))

    def state(self) -> CircuitReport:
        """Where it stands now."""
        state, _ = self._kept.look()
        good, bad = circuit.volume(state)
        return CircuitReport(
            provider=self.provider, operation=self.operation, position=state.stands,
            since=state.forced.since if state.forced else state.since,
            retry_at=state.retry_at if state.stands is Position.OPEN and not state.forced else None,
            successes=good, failures=bad, opened=state.opened, forced=state.forced, shared=not self._kept.is_alone,
        )  # fmt: skip

    def _tell(self) -> None:
        """One thread tells for all; what comes meanwhile it tells as well."""
        while self._is_due() and self._telling.acquire(blocking=False):
            try:
                with self._guard:
                    tally = self._pending + Tally(successes=self._good)
                    self._pending, self._good = NOTHING, 0
                self._told_at = time.monotonic()
                self._change(lambda s, now: (circuit.heard(s, self.policy, tally, now), None))  # noqa: B023
            finally:
                self._telling.release()

    def _is_due(self) -> bool:
        if self._pending.urgent:
            return True
        anything = self._good or self._pending is not NOTHING
        return bool(anything) and time.monotonic() - self._told_at >= TELL_SECONDS

    def _change(self, rule: Callable[[CircuitState, float], tuple[CircuitState, T]]) -> T:
        def noted(state: CircuitState, now: float) -> tuple[CircuitState, tuple[T, Position, Position]]:
            after, answer = rule(state, now)
            return after, (answer, state.position, after.position)

        answer, before, after = self._kept.change(noted)
        if before is not after:
            self._announce(before, after)
        return answer

    def _announce(self, before: Position, after: Position) -> None:
        """Only the process that made the change tells of it."""
        if after is Position.OPEN:
            OPENED.labels(self.provider, self.operation).inc()
        logger.warning(
            "circuit_moved",
            provider=self.provider,
            operation=self.operation,
            to=after.value,
            before=before.value,
        )


def _settled(state: CircuitState, now: float) -> bool:
    """Whether what was seen answers by itself, without anything to be counted."""
    if state.forced:
        return True
    if state.position is Position.CLOSED:
        return not state.ramp_since
    return state.position is Position.OPEN and now < state.retry_at


def tally_of(wire: Wire, *, well: bool, probing: bool, proves: bool = True) -> Tally:
    """One call as the breaker counts it: by what was heard on the wire, or else by whether it went well.

    `proves=False`: its success says little (it only read), so that it counts neither way.
    """
    bad = bool(wire.failed) if wire.heard else not well
    counts = int(proves and not bad)
    if not (probing or bad or wire.wait_seconds):
        return ONE_SUCCESS if counts else NOTHING
    if probing:
        return Tally(
            probe_successes=counts, probe_failures=int(bad), freed=int(not counts and not bad),
            wait_seconds=wire.wait_seconds,
        )  # fmt: skip
    return Tally(successes=counts, failures=int(bad), wait_seconds=wire.wait_seconds)
