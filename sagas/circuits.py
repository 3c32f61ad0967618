"""The circuits of external steps and of reads beside them: one for each of each provider, shared by all workers.

A step's circuit is asked before anything is claimed. While it is open, what is due there is put off with a wake-up
time and uses up no try; a few probes go when the time is over; closed again, work comes back along a ramp. What no step
asks (a question of the inbox, of a loop or of reconciliation, a loop's own write) has a circuit of its own: a read
proves nothing about writing. A rate that a provider is held to, and a budget for repeats, stand beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import TypeVar

import redis
from django.conf import settings

from sagas.resilience.breaker import Breaker, CircuitOpen, CircuitReport
from sagas.resilience.circuit import Forced, Grant, Position
from sagas.resilience.rate import RateState, RetryBudget, take
from sagas.resilience.shared import Kept, LocalStore, Store, ValkeyStore
from sagas.steps import Step, all_steps
from sagas.verdicts import LostRace, Unavailable, Unknown

CIRCUIT_OPEN = "circuit_open"
RETRY_BUDGET = "retry_budget"
#: What waits for the same moment comes back spread over so many seconds.
SPREAD_SECONDS = 1.0
#: How long a repeat that the budget has no room for is put off, at most.
BUDGET_SECONDS = 5.0

#: Jitter only.
RNG = Random()  # noqa: S311


T = TypeVar("T")


@dataclass(frozen=True)
class Aside:
    """A kind of call to a provider that no step makes: a read, or a loop's own write."""

    provider: str
    operation: str


_asides: set[Aside] = set()


class Circuits:
    """All circuits as this process sees them. A fork needs its own."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store or ValkeyStore(_client)
        self._alone = LocalStore()
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._rates: dict[str, Kept[RateState]] = {}
        self._budgets: dict[str, RetryBudget] = {}

    def breaker(self, provider: str, operation: str) -> Breaker:
        """The circuit of one operation."""
        key = (provider, operation)
        if key not in self._breakers:
            policy = settings.WAYBILL.circuit
            self._breakers[key] = Breaker(provider, operation, policy, self._store, self._alone)
        return self._breakers[key]

    def rate(self, provider: str) -> Kept[RateState]:
        """What the provider has got of the rate that it is held to."""
        if provider not in self._rates:
            self._rates[provider] = Kept(f"rate:{provider}", RateState, self._store, self._alone)
        return self._rates[provider]

    def budget(self, provider: str) -> RetryBudget:
        """How many repeats this process may make."""
        found = self._budgets.get(provider)
        return found or self._budgets.setdefault(provider, RetryBudget())


def _client() -> redis.Redis:
    return _client_of(os.getpid())


@lru_cache(maxsize=1)
def _client_of(pid: int) -> redis.Redis:
    del pid  # sockets must not cross a fork
    return redis.Redis.from_url(settings.WAYBILL.redis_url, socket_timeout=0.5, socket_connect_timeout=0.5)


@lru_cache(maxsize=1)
def _circuits(pid: int) -> Circuits:
    del pid
    return Circuits()


def forget() -> None:
    """Let go of what this process knows of all circuits; what others share stays."""
    _circuits.cache_clear()


def operation_of(step: Step) -> str:
    """A step's operation: its name without the app."""
    return step.name.partition(".")[2]


def breaker_of(step: Step) -> Breaker:
    """The circuit of a step."""
    return _circuits(os.getpid()).breaker(step.provider, operation_of(step))


def budget_of(step: Step) -> RetryBudget:
    """The budget for repeats of a step's provider."""
    return _circuits(os.getpid()).budget(step.provider)


def admit(step: Step, want: int) -> Grant:
    """How many calls of a step may be claimed now. What a counted grant is not used for is to be given back."""
    breaker = breaker_of(step)
    grant = breaker.admit(want)
    most = _within_rate(step.provider, grant.count) if grant.count else 0
    if most < grant.count:
        breaker.give_back(grant, grant.count - most)
        grant = replace(grant, count=most)
    return grant


def _within_rate(provider: str, want: int) -> int:
    per_second = settings.WAYBILL.provider_rates.get(provider)
    if per_second is None:
        return want
    burst = max(1, round(per_second))

    def rule(state: RateState, now: float) -> tuple[RateState, tuple[int, float]]:
        return take(state, want, now, per_second=per_second, burst=burst)

    count, _ = _circuits(os.getpid()).rate(provider).change(rule)
    return count


def put_off(step: Step, now: datetime) -> Unavailable:
    """What a step answers that is not even tried, because its circuit is open."""
    return Unavailable(CIRCUIT_OPEN, step.provider).sparing(_after(breaker_of(step).wait_seconds(), now))


def over_budget(step: Step, now: datetime) -> Unavailable:
    """What a repeat answers that is not made, because there are too many of them."""
    wait = timedelta(seconds=RNG.uniform(1.0, BUDGET_SECONDS))
    return Unavailable(RETRY_BUDGET, step.provider).sparing(now + wait)


def spared(step: Step, outcome: Unavailable | Unknown, now: datetime) -> Unavailable | Unknown:
    """A provider's silence during its outage: it uses up no try, and waits for the circuit."""
    after = _after(breaker_of(step).wait_seconds(), now)
    asked = outcome.not_before or (outcome.retry_at if isinstance(outcome, Unavailable) else None)
    return outcome.sparing(max(after, asked or after))


def _after(wait: float, now: datetime) -> datetime:
    return now + timedelta(seconds=wait + RNG.uniform(0, SPREAD_SECONDS))


def is_closed(step: Step) -> bool:
    """Whether a step's circuit is closed, as far as this process knows. Asks nobody."""
    return breaker_of(step).lets(probing=False)


def went_well(outcome: object) -> bool:
    """Whether a step's answer speaks for its provider, where nothing was heard on the wire."""
    return isinstance(outcome, LostRace) or not isinstance(outcome, (Unavailable, Unknown))


def external_steps() -> list[Step]:
    """Every step that has a circuit, by provider and name."""
    return sorted((s for s in all_steps().values() if s.external), key=lambda s: (s.provider, s.name))


def provider_read(provider: str, operation: str) -> Aside:
    """Register a kind of read, so that people see its circuit and can hold it. Safe to repeat."""
    return _aside(provider, operation)


def provider_write(provider: str, operation: str) -> Aside:
    """The same for a write. Its own circuit: steps that write the like are not held up by it, nor it by them."""
    return _aside(provider, operation)


def _aside(provider: str, operation: str) -> Aside:
    aside = Aside(provider, operation)
    _asides.add(aside)
    return aside


def ask_through(aside: Aside, make: Callable[[], T]) -> T | Unavailable:
    """Ask a provider, if its circuit lets the call go; else Unavailable with `circuit_open`, and when to ask again.

    In any thread, outside any transaction.
    """

    def shut(refused: CircuitOpen) -> Unavailable:
        when = datetime.fromtimestamp(refused.retry_at, UTC)
        return Unavailable(CIRCUIT_OPEN, f"{refused} until {when:%H:%M:%S} UTC", retry_at=when)

    def question() -> T | Unavailable:
        return make()

    return _breaker_beside(aside).call(question, shut, well=went_well)


def room_for(aside: Aside, want: int) -> int:
    """How many of `want` calls are worth taking in hand now: none while the circuit is open."""
    return _breaker_beside(aside).room(want)


def _breaker_beside(aside: Aside) -> Breaker:
    return _circuits(os.getpid()).breaker(aside.provider, aside.operation)


def names() -> list[tuple[str, str]]:
    """Provider and operation of every circuit, in this order."""
    steps = {(step.provider, operation_of(step)) for step in external_steps()}
    return sorted(steps | {(aside.provider, aside.operation) for aside in _asides})


def reports() -> Iterator[CircuitReport]:
    """Where every circuit stands now."""
    return (_circuits(os.getpid()).breaker(*name).state() for name in names())


def force(provider: str, operation: str, forced: Forced | None) -> None:
    """Hold a circuit for all workers, or let it go. Safe to repeat."""
    _circuits(os.getpid()).breaker(provider, operation).force(forced)


__all__ = [
    "CIRCUIT_OPEN", "RETRY_BUDGET", "Aside", "Circuits", "Forced", "Grant", "Position", "admit", "ask_through",
    "breaker_of", "budget_of", "external_steps", "force", "forget", "is_closed", "names", "operation_of", "over_budget",
    "provider_read", "provider_write", "put_off", "reports", "room_for", "spared", "went_well",
]  # fmt: skip
