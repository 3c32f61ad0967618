"""Outside calls of a batch: made in threads, each through its step's circuit, and collected as answers come."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings

from sagas import circuits
from sagas.crash import crash_point
from sagas.engine.batch import Claimed
from sagas.engine.core import Outcome
from sagas.resilience.breaker import Breaker, tally_of
from sagas.resilience.circuit import Tally
from sagas.resilience.hearing import Wire, listening
from sagas.steps import Ask, Continue, ExternalStep, Step
from sagas.verdicts import Unknown, Verdict


@dataclass
class Asked:
    """One call that is to be made, and the claim it belongs to."""

    claimed: Claimed
    ask: Ask
    settling: bool
    probing: bool = False  #: One of the few that a half-open circuit lets through.


@dataclass
class Answered:
    """A call that came back, or the bug that came instead."""

    asked: Asked
    outcome: Outcome
    bug: Exception | None = None
    spared: bool = False  #: Its silence is part of an outage, and uses up no try.


def handler_of(step: Step) -> ExternalStep:
    """The app's part of an external step."""
    if step.external is None:
        raise TypeError(f"{step.name} is not an external step.")
    return step.external


@lru_cache(maxsize=16)
def _threads(pid: int, provider: str) -> ThreadPoolExecutor:
    """A provider's own threads, so that as many calls as it may get at once are out there, and no more."""
    del pid  # a pool does not survive a fork
    return ThreadPoolExecutor(
        settings.WAYBILL.concurrency_of(provider), thread_name_prefix=f"call-{provider}"
    )


def submit(step: Step, asked: Asked) -> Future[Outcome]:
    """Let a thread make the call."""
    crash_point(f"{step.name}.before_call")
    return _threads(os.getpid(), step.provider).submit(_make, step, asked)


def _make(step: Step, asked: Asked) -> Outcome:
    """In a thread: make the call if it may still be made, and tell the circuit what came of it."""
    breaker = circuits.breaker_of(step)
    if not breaker.lets(probing=asked.probing):
        return circuits.put_off(step, asked.ask.call.now)
    if not _within_budget(step, asked):
        breaker.note(Tally(freed=int(asked.probing)))
        return circuits.over_budget(step, asked.ask.call.now)
    handler = handler_of(step)
    make = handler.settle if asked.settling else handler.ask
    outcome, wire = _heard(make, asked.ask, breaker, asked.probing)
    if not (asked.probing and isinstance(outcome, Continue)):  # the rest of its call will tell
        breaker.note(
            tally_of(wire, well=circuits.went_well(outcome), probing=asked.probing, proves=not asked.settling)
        )
    return outcome


def _heard(make: Callable[[Ask], Outcome], ask: Ask, breaker: Breaker, probing: bool) -> tuple[Outcome, Wire]:
    with listening() as wire:
        try:
            return make(ask), wire
        except Verdict as verdict:
            return verdict, wire
        except Exception:
            breaker.note(tally_of(wire, well=True, probing=probing, proves=False))  # a bug of ours
            raise


def _within_budget(step: Step, asked: Asked) -> bool:
    budget, row = circuits.budget_of(step), asked.claimed.row
    # What an open circuit has put off made no call: however many wait, only the ramp holds their first calls.
    if row.tries > 1 or (row.tries and row.code != circuits.CIRCUIT_OPEN):
        return budget.repeat()
    budget.first()
    return True


class Flying:
    """Calls that are out. Their answers are taken a slice at a time, and wake who waits for them once for all of it."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._asked: dict[Future[Outcome], Asked] = {}
        self._back: list[Future[Outcome]] = []
        self._wanted = 1
        self._enough = threading.Condition()

    def __bool__(self) -> bool:
        return bool(self._asked)

    def send(self, asked: Iterable[Asked]) -> None:
        """Let threads make these calls."""
        for one in asked:
            future = submit(self._step, one)
            self._asked[future] = one
            future.add_done_callback(self._is_back)

    def slice(self) -> list[Answered]:
        """The calls that came back: all within a moment of the first, or so many. Waits for the first."""
        w = settings.WAYBILL
        self._wait(1, None)
        self._wait(min(w.record_slice, len(self._asked)), w.record_every_seconds)
        with self._enough:
            back, self._back = self._back, []
        return [_answered(self._step, future, self._asked.pop(future)) for future in back]

    def _is_back(self, future: Future[Outcome]) -> None:
        with self._enough:
            self._back.append(future)
            if len(self._back) >= self._wanted:
                self._enough.notify()

    def _wait(self, wanted: int, seconds: float | None) -> None:
        with self._enough:
            self._wanted = wanted
            self._enough.wait_for(lambda: len(self._back) >= wanted, seconds)


def _answered(step: Step, future: Future[Outcome], asked: Asked) -> Answered:
    """What a thread came back with. A bug in it leaves the outcome unknown."""
    error = future.exception()
    if error is None:
        outcome = future.result()
        free = isinstance(outcome, Verdict) and not outcome.spends
        return Answered(asked, outcome, spared=free or asked.probing or not circuits.is_closed(step))
    bug = error if isinstance(error, Exception) else RuntimeError(repr(error))
    return Answered(asked, Unknown("bug", repr(error)[:200]), bug)
