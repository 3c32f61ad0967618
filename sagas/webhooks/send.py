"""Sending: claim what is due, call outside any transaction, record in slices as answers arrive.

Threads make the calls and nothing else. Endpoints have turns, one after the other, each with a few calls at once, so
that a slow one holds up nobody. A sender may die anywhere: what it had claimed is due again when its lease ends, and
goes out once more under the same webhook-id.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import sentry_sdk
import structlog
from django.conf import settings
from django.db import transaction

from sagas import bell
from sagas.clock import database_now
from sagas.crash import crash_point
from sagas.webhooks import addresses, metrics, store
from sagas.webhooks.call import Heard, Line
from sagas.webhooks.ending import disable_locked
from sagas.webhooks.offered import body_of
from sagas.webhooks.queueing import TASK
from sagas.webhooks.rules import (
    NO_KEY,
    OURS,
    UNREADABLE,
    Circuit,
    calls_at_once,
    circuit_after,
    end_of,
    fate_of,
)
from sagas.webhooks.signing import NoKey, signed_headers
from sagas.webhooks.store import Claimed, EndpointRow, Written

logger = structlog.get_logger(__name__)

#: How long to wait for an answer before looking for new work.
LOOK_SECONDS = 0.2
#: Of the attempts at one delivery the last so many are kept.
MOST_ATTEMPTS_KEPT = 20


def send(*, seconds: float, line: Line | None = None, rng: random.Random | None = None) -> int:
    """Send what is due, for `seconds` and until the last call has come back. Returns how many answers it recorded."""
    sender = Sender(line or usual_line(), rng or random.Random())  # noqa: S311 - jitter is no secret
    return sender.run(seconds)


def usual_line() -> Line:
    """As the installation is set up."""
    return Line(addresses.rules(), settings.WAYBILL.webhook_timeout_seconds)


def lease_seconds() -> float:
    """How long a call may be out before others take it over: several times as long as it may last."""
    return 3 * float(settings.WAYBILL.webhook_timeout_seconds) + 30


class Sender:
    """One worker's stretch of sending."""

    def __init__(self, line: Line, rng: random.Random) -> None:
        self._line, self._rng = line, rng
        self._flying: dict[Future[Heard], Claimed] = {}
        self._after = store.NOBODY
        self._count = 0

    def run(self, seconds: float) -> int:
        """Begin new calls for `seconds`; record whatever comes back, to the last."""
        stop = time.monotonic() + seconds
        while True:
            began = self._begin() if time.monotonic() < stop else 0
            if not self._flying:
                return self._count
            bell.hold(TASK)
            # With a slot free there may be new work before the next answer.
            done, _ = wait(self._flying, timeout=0 if began else LOOK_SECONDS, return_when=FIRST_COMPLETED)
            if done:
                self._record({future: self._flying.pop(future) for future in done})

    def _begin(self) -> int:
        free = settings.WAYBILL.webhook_concurrency - len(self._flying)
        if free <= 0 or not (due := self._turn(free)):
            return 0
        endpoints, claimed, now = _claim(due, free)
        crash_point("webhooks.after_claim")
        events = store.events_of(claimed) if claimed else {}
        for one in claimed:
            future = self._submit(one, endpoints[one.endpoint_id], events.get((one.stream, one.version)), now)
            self._flying[future] = one
        if len(claimed) == free:
            bell.call_help(TASK)
        return len(claimed)

    def _turn(self, free: int) -> list[UUID]:
        """The endpoints whose turn it is: those behind the last one that had it, round and round."""
        due = [endpoint_id for endpoint_id, _ in store.next_due(self._after)[:free]]
        self._after = due[-1] if due else store.NOBODY
        return due

    def _submit(
        self, claimed: Claimed, endpoint: EndpointRow, row: tuple[Any, ...] | None, now: datetime
    ) -> Future[Heard]:
        crash_point("webhooks.before_call")
        try:
            body = body_of(store.read_event(row)) if row else b""
            headers = signed_headers(claimed.id, body, endpoint.secrets(now), at=now)
        except NoKey:
            logger.error("webhook_key_missing", endpoint_id=str(endpoint.id))  # noqa: TRY400 - no bug, no trace
            return _known(Heard(NO_KEY))
        except Exception as error:
            sentry_sdk.capture_exception(error)
            logger.exception("webhook_event_unreadable", delivery_id=str(claimed.id), type=claimed.type)
            return _known(Heard(UNREADABLE))
        return _threads(os.getpid()).submit(self._line.post, endpoint.url, headers, body)

    def _record(self, answered: dict[Future[Heard], Claimed]) -> None:
        crash_point("webhooks.after_call_before_commit")
        pairs = [(claimed, _heard(future)) for future, claimed in answered.items()]
        recorded = record(pairs, now=database_now(), rng=self._rng)
        crash_point("webhooks.after_commit")
        self._count += len(recorded)


def _claim(due: Sequence[UUID], free: int) -> tuple[dict[UUID, EndpointRow], list[Claimed], datetime]:
    """Lock the endpoints, take what is due at each, let go: one short transaction."""
    share = max(1, free // len(due))
    with transaction.atomic():
        now = database_now()
        endpoints = store.lock_free(due)
        most = min(share, settings.WAYBILL.webhook_endpoint_concurrency)
        wanted = [(p.id, calls_at_once(p.circuit, most)) for p in endpoints]
        claimed = store.claim(wanted, now=now, lease_seconds=lease_seconds()) if wanted else []
    return {p.id: p for p in endpoints}, claimed, now


def record(answered: Sequence[tuple[Claimed, Heard]], *, now: datetime, rng: random.Random) -> list[Written]:
    """Write what came of calls, in one commit. Answers to claims that others have taken over count for nothing."""
    heard = {claimed.id: answer for claimed, answer in answered}
    with transaction.atomic():
        endpoints = store.lock(list({claimed.endpoint_id for claimed, _ in answered}))
        mine = store.lock_claimed([claimed for claimed, _ in answered])
        written = [_written(c, h, heard[c.id], now, rng) for c, h in mine.values()]
        if written:
            store.record(written, now=now)
        for endpoint in endpoints.values():
            own = [heard[c.id] for c, _ in mine.values() if c.endpoint_id == endpoint.id]
            _judge(endpoint, own, now, rng)
    _tell([(c, heard[c.id]) for c, _ in mine.values()], written)
    return written


def _written(
    claimed: Claimed, history: list[dict[str, Any]], heard: Heard, now: datetime, rng: random.Random
) -> Written:
    fate = fate_of(claimed.failed, heard, now=now, rng=rng)
    attempt = {
        "at": now.isoformat(), "attempt": claimed.attempt, "outcome": heard.outcome, "status": heard.status,
        "seconds": round(heard.seconds, 3), "answer": heard.answer,
    }  # fmt: skip
    kept = [*history, attempt][-MOST_ATTEMPTS_KEPT:]
    return Written(claimed.id, fate, heard.outcome, heard.status, kept)


def _judge(endpoint: EndpointRow, answers: Sequence[Heard], now: datetime, rng: random.Random) -> None:
    """Write how an endpoint is doing after some answers, if otherwise than before; disable it if it must be."""
    circuit: Circuit = endpoint.circuit
    code = ""
    for heard in answers:
        circuit = circuit_after(circuit, heard, now=now, rng=rng)
        code = code or end_of(circuit, heard, now=now)
    if circuit != endpoint.circuit:
        store.write_circuits([(endpoint.id, circuit)])
    if code and endpoint.enabled:
        disable_locked(endpoint.id, endpoint.shop_id, code=code, now=now, actor="system")


def _tell(pairs: Sequence[tuple[Claimed, Heard]], written: Sequence[Written]) -> None:
    """Metrics and the log, after the commit. No address: it may hold what is nobody's business."""
    states = {w.id: w.fate.state.value for w in written}
    for claimed, heard in pairs:
        metrics.DELIVERIES.labels(heard.outcome).inc()
        metrics.EXHAUSTED.inc(states[claimed.id] == "exhausted")
        if heard.outcome not in OURS:
            metrics.SECONDS.observe(heard.seconds)
        if not heard.ok:
            logger.info(
                "webhook_not_delivered", delivery_id=str(claimed.id), endpoint_id=str(claimed.endpoint_id),
                type=claimed.type, attempt=claimed.attempt, outcome=heard.outcome, status=heard.status,
                state=states[claimed.id],
            )  # fmt: skip


def _heard(future: Future[Heard]) -> Heard:
    error = future.exception()
    if error is None:
        return future.result()
    sentry_sdk.capture_exception(error)
    logger.error("webhook_call_broke", error=type(error).__name__)
    return Heard("no_answer")


def _known(heard: Heard) -> Future[Heard]:
    future: Future[Heard] = Future()
    future.set_result(heard)
    return future


@lru_cache(maxsize=1)
def _threads(pid: int) -> ThreadPoolExecutor:
    del pid  # a pool does not survive a fork
    return ThreadPoolExecutor(settings.WAYBILL.webhook_concurrency, thread_name_prefix="webhook")


def work(*, seconds: float) -> int:
    """Answer the bell: send, let go of the bell, look once more, and ring if there is more."""
    bell.hold(TASK)
    try:
        count = send(seconds=seconds)
    finally:
        bell.let_go(TASK)
    if store.next_due():
        bell.ring(TASK)
    return count
