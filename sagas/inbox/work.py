"""Reading what came in: claim a batch, look, ask the provider side by side, write and settle in one commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import sentry_sdk
import structlog
from django.conf import settings
from django.db import OperationalError, transaction

from sagas import bell, circuits
from sagas.clock import database_now
from sagas.crash import crash_point
from sagas.inbox import metrics, store
from sagas.inbox.reader import Fate, Ignored, Incoming, Later, Question, Reader, get_reader
from sagas.inbox.sources import find_source, sources_of
from sagas.quoting import words_of

logger = structlog.get_logger(__name__)

#: Messages read in one go. All of them ask at most so many questions that half a lease is enough.
LIMIT = 100

Asked = TypeVar("Asked")
Told = TypeVar("Told")


def read(task: str, *, seconds: float | None = None) -> int:
    """Read what is due for one reader until nothing is; how many readings. Safe at any time, any number at once."""
    stop = time.monotonic() + (settings.WAYBILL.turn_seconds if seconds is None else seconds)
    sources, count = sources_of(task), 0
    bell.let_go(task)
    while found := _read_batch(task, sources):
        count += found
        if time.monotonic() >= stop:
            bell.ring(task)
            break
    return count


def _read_batch(task: str, sources: Sequence[str]) -> int:
    reader = get_reader(task)
    limit = _limit() if reader.asks is None else circuits.room_for(reader.asks, _limit())
    now, messages = store.claim(sources, limit=limit) if limit else (None, [])
    if now is None:
        return 0
    crash_point(f"{task}.after_claim")
    _in_halves(reader, messages)
    return len(messages)


def _limit() -> int:
    w = settings.WAYBILL
    rounds = max(1, int(store.LEASE.total_seconds() / 2 / w.call_timeout_seconds))
    return min(LIMIT, rounds * w.call_concurrency)


def _in_halves(reader: Reader, messages: Sequence[Incoming]) -> None:
    """Read a batch; one that raises is halved until the message at fault stands alone. It waits and is reported."""
    try:
        _Reading(reader, messages).run()
    except OperationalError as error:
        logger.warning("webhooks_interrupted", count=len(messages), error=words_of(error)[:300])
    except Exception as error:  # noqa: BLE001 - a reader may raise anything; it is found alone and reported
        if len(messages) == 1:
            _set_aside(messages[0], error)
            return
        middle = len(messages) // 2
        _in_halves(reader, messages[:middle])
        _in_halves(reader, messages[middle:])


def _set_aside(message: Incoming, error: Exception) -> None:
    """A bug of ours: the message keeps its place and is tried again in growing intervals until it expires."""
    sentry_sdk.capture_exception(error)
    logger.error("webhook_failed", source=message.source, webhook=message.event_id, error=words_of(error))
    with transaction.atomic():
        store.settle([(message, Later("bug"))], now=database_now())


@dataclass
class _Reading:
    reader: Reader
    messages: Sequence[Incoming]

    def run(self) -> None:
        """Look and settle what needs no question; then ask, and write what was said beside the rest."""
        with transaction.atomic():
            now = database_now()
            judged = self._look(now)
            settled = store.settle([(m, j) for m, j in judged if isinstance(j, Fate)], now=now)
        _tell(settled)
        asking = [(m, j) for m, j in judged if isinstance(j, Question)]
        if asking:
            self._ask_and_apply(asking)

    def _look(self, now: datetime) -> list[tuple[Incoming, Fate | Question]]:
        twins = store.twins(self.messages)
        rest = [m for m in self.messages if m.id not in twins]
        judged: list[tuple[Incoming, Fate | Question]] = [
            (m, Ignored("duplicate")) for m in self.messages if m.id in twins
        ]
        return judged + list(zip(rest, self.reader.look(rest, now=now) if rest else [], strict=True))

    def _ask_and_apply(self, asking: Sequence[tuple[Incoming, Question]]) -> None:
        questions = {question.about: question for _, question in asking}
        answers = side_by_side(self.reader.ask, questions.values())
        crash_point("inbox.after_call_before_commit")
        with transaction.atomic():
            now = database_now()
            fates = dict(zip(questions, self.reader.apply(answers, now=now), strict=True))
            settled = store.settle([(m, fates[question.about]) for m, question in asking], now=now)
        _tell(settled)


def _tell(settled: Iterable[tuple[Incoming, str]]) -> None:
    """Count and log, after the commit, what has come to its end."""
    ended = [(m, state) for m, state in settled if state in ("applied", "ignored", "expired")]
    metrics.count_all((m.source, state) for m, state in ended)
    for message, state in ended:
        if state == "expired":
            logger.warning(
                "webhook_expired", source=message.source, webhook=message.event_id, type=message.type
            )


def side_by_side(ask: Callable[[Asked], Told], questions: Iterable[Asked]) -> list[tuple[Asked, Told]]:
    """Make calls to providers in threads, a bounded number at once, outside any transaction; in the given order."""
    wanted = list(questions)
    most = min(len(wanted), settings.WAYBILL.call_concurrency)
    if not wanted:
        return []
    with ThreadPoolExecutor(most, thread_name_prefix="ask") as threads:
        return list(zip(wanted, threads.map(ask, wanted), strict=True))


def wake_unmatched(object_ids: Sequence[str], *, now: datetime) -> None:
    """An object exists now: messages that waited for it are read after the caller's commit."""
    sources = [find_source(name) for name in store.wake_unmatched(object_ids, now=now)]
    readers = {source.reader for source in sources if source is not None}
    if readers:
        transaction.on_commit(lambda: bell.ring(*sorted(readers)), robust=True)


__all__ = ["read", "side_by_side", "wake_unmatched"]
