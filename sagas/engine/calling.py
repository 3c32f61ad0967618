"""Outside calls of a batch: made in threads, and collected as answers come."""

from __future__ import annotations

import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings

from sagas.crash import crash_point
from sagas.engine.batch import Claimed
from sagas.engine.core import Outcome
from sagas.steps import Ask, ExternalStep, Step
from sagas.verdicts import Unknown, Verdict


@dataclass
class Asked:
    """One call that is to be made, and the claim it belongs to."""

    claimed: Claimed
    ask: Ask
    settling: bool


@dataclass
class Answered:
    """A call that came back, or the bug that came instead."""

    asked: Asked
    outcome: Outcome
    bug: Exception | None = None


def handler_of(step: Step) -> ExternalStep:
    if step.external is None:
        raise TypeError(f"{step.name} is not an external step.")
    return step.external


def slice_of(flying: dict[Future[Outcome], Asked]) -> set[Future[Outcome]]:
    waiting = set(flying)
    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
    end = time.monotonic() + settings.WAYBILL.record_every_seconds
    while waiting and len(done) < settings.WAYBILL.record_slice and (left := end - time.monotonic()) > 0:
        more, waiting = wait(waiting, timeout=left, return_when=FIRST_COMPLETED)
        done |= more
    return done


@lru_cache(maxsize=1)
def _threads(pid: int) -> ThreadPoolExecutor:
    del pid  # a pool does not survive a fork
    return ThreadPoolExecutor(settings.WAYBILL.call_concurrency, thread_name_prefix="call")


def submit(step: Step, asked: Asked) -> Future[Outcome]:
    crash_point(f"{step.name}.before_call")
    handler = handler_of(step)
    return _threads(os.getpid()).submit(handler.settle if asked.settling else handler.ask, asked.ask)


def answered(future: Future[Outcome], asked: Asked) -> Answered:
    error = future.exception()
    if error is None:
        return Answered(asked, future.result())
    if isinstance(error, Verdict):
        return Answered(asked, error)
    bug = error if isinstance(error, Exception) else RuntimeError(repr(error))
    return Answered(asked, Unknown("bug", repr(error)[:200]), bug)
