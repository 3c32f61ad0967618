"""Delivering events to one subscription: lock the checkpoint, read a batch, send the signal, move on, commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sentry_sdk
import structlog
from django.db import OperationalError, transaction

from sagas import bell, feed, metrics, turns
from sagas.bus import Subscription, event_published, get_subscription
from sagas.crash import crash_point
from sagas.log import Recorded, Token
from sagas.quoting import words_of
from sagas.sql import execute, rows
from sagas.verdicts import ConcurrencyConflict, Unavailable

logger = structlog.get_logger(__name__)

FULL = 500
#: A checkpoint whose types are rare is moved forward all the same once it lags so many transactions: each look
#: for its events reads past everything in between.
STALE_XIDS = 100
#: How often to look again for events that were committed but not yet settled, and how long in between.
LOOKS, LOOK_SECONDS = 6, 0.004

# The second lock is shared by all deliveries. Who takes it alone has this subscription stand still, and holds up
# nobody else: unlike a locked row it makes no transaction one that has written.
LOCK = """
SELECT era, xid, position, state FROM sagas_checkpoint
 WHERE subscription = %s AND shard = %s
   AND pg_try_advisory_xact_lock_shared(hashtextextended('waybill.delivery|' || subscription, 0))
   FOR UPDATE SKIP LOCKED
"""
STAND_STILL = "SELECT pg_advisory_lock(hashtextextended('waybill.delivery|' || %s, 0))"
GO_ON = "SELECT pg_advisory_unlock(hashtextextended('waybill.delivery|' || %s, 0))"
ENSURE = """
INSERT INTO sagas_checkpoint (subscription, shard, era, xid, position, state, error)
VALUES (%s, %s, 0, 0, 0, 'running', '') ON CONFLICT DO NOTHING
"""
MOVE = """
UPDATE sagas_checkpoint SET era = %s, xid = %s, position = %s, moved_at = %s
 WHERE subscription = %s AND shard = %s
"""
BLOCKED = """
SELECT DISTINCT stream FROM sagas_parkedevent
 WHERE subscription = %s AND settled_at IS NULL AND stream = ANY(%s::uuid[])
"""
PARK = """
INSERT INTO sagas_parkedevent (subscription, stream, version, error, parked_at, settled_by, settled_how)
SELECT %s, stream, version, %s, %s, '', '' FROM unnest(%s::uuid[], %s::int[]) AS u (stream, version)
ON CONFLICT DO NOTHING
"""
STOP = "UPDATE sagas_checkpoint SET state = 'stopped', error = %s WHERE subscription = %s AND shard = %s"

#: Not a fault of the event: look again later.
TRANSIENT = (OperationalError, ConcurrencyConflict, Unavailable)


@dataclass
class Batch:
    """What one transaction of a delivery did."""

    delivered: int
    after: Token
    more: bool
    seen: Token | None = None  #: Nothing is left for this subscription before here.


class Stopped(Exception):
    """The subscription stands still until a person has decided."""


class Busy(Exception):
    """Another worker is at the subscription; it looks again before it leaves."""


def deliver(task: str, *, now: Callable[[], datetime], seconds: float = 5.0) -> int:
    """Deliver what is settled to one subscription, for at most `seconds`. Returns how many events.

    Safe at any time and any number of times at once: the checkpoint row lets one worker in.
    """
    sub, shard = _parse(task)
    execute(ENSURE, [sub.name, shard])
    bell.hold(task)
    try:
        with turns.turn(task, full=FULL) as progress:
            count, seen = _deliver_until(sub, shard, progress, now, time.monotonic() + seconds)
    except Busy:
        return 0
    except BaseException:
        bell.let_go(task)
        raise
    bell.let_go(task)
    if _left(sub, shard, seen):
        bell.ring(task)
    return count


@contextmanager
def standstill(sub: Subscription) -> Iterator[None]:
    """Nothing is delivered to a subscription inside the block. Whoever came meanwhile is called again after it."""
    rows(STAND_STILL, [sub.name])
    try:
        yield
    finally:
        rows(GO_ON, [sub.name])
        for shard in range(sub.shards):
            bell.let_go(sub.task(shard))
            bell.ring(sub.task(shard))


def _parse(task: str) -> tuple[Subscription, int]:
    name, _, shard = task.partition("/")
    return get_subscription(name), int(shard or 0)


def _deliver_until(
    sub: Subscription, shard: int, progress: turns.Progress, now: Callable[[], datetime], stop: float
) -> tuple[int, Token | None]:
    """How many events, and before which place none is left, if that was seen."""
    count, looks, seen = 0, 0, None
    while time.monotonic() < stop and looks < LOOKS:
        try:
            batch = _deliver_or_park(sub, shard, progress, now())
        except Stopped:
            break
        count, seen = count + batch.delivered, batch.seen
        if batch.delivered or batch.more:
            looks = 0
            bell.hold(sub.task(shard))
        elif feed.pending(seen or batch.after, sub.types, unled=sub.unled):
            looks += 1
            time.sleep(LOOK_SECONDS * looks)
        else:
            break
    return count, seen


def _deliver_or_park(sub: Subscription, shard: int, progress: turns.Progress, now: datetime) -> Batch:
    """One batch; one that fails is halved until the event that cannot be digested stands alone."""
    limit = progress.cap
    while True:
        try:
            batch = _deliver_batch(sub, shard, limit, progress, now)
        except (Stopped, Busy, *TRANSIENT):
            raise
        except Exception as error:  # noqa: BLE001 - whatever a receiver raises is its event's fault
            if limit == 1:
                return _poisoned(sub, shard, error, progress.at, now)
            limit = max(1, min(limit, progress.taken or limit) // 2)
        else:
            progress.survived()
            return batch


def _deliver_batch(
    sub: Subscription, shard: int, limit: int, progress: turns.Progress, now: datetime
) -> Batch:
    if progress.cornered and (verdict := _alone(sub, shard, progress, now)) is not None:
        return verdict
    with transaction.atomic():
        at = progress.at = _lock(sub, shard)
        progress.taken = 0
        page = _page(sub, shard, at, limit)
        progress.taken = len(page.events)
        ready = _without_blocked(sub, page.events, now)
        if ready:
            event_published.send(sender=sub, events=ready, now=now)
        after = _next(at, page)
        if after != at:
            execute(MOVE, [after.era, after.xid, after.position, now, sub.name, shard])
        if ready:
            crash_point(f"{sub.name}.before_commit")
    if ready:
        crash_point(f"{sub.name}.after_commit")
    metrics.DELIVERED.labels(sub.name).inc(len(ready))
    full = len(page.events) == limit or not page.whole
    return Batch(len(page.events), after, full, None if full else max(after, page.horizon))


def _alone(sub: Subscription, shard: int, progress: turns.Progress, now: datetime) -> Batch | None:
    """Name the next event's stream before it runs; park it if it killed its worker too often."""
    with transaction.atomic():
        at = _lock(sub, shard)
        event, *_ = feed.first(at, sub.types, shards=sub.shards, shard=shard, unled=sub.unled)
    if event is None:
        return None
    suspect = turns.suspect_id(sub.name, event.stream, event.version)
    if turns.condemned(suspect):
        turns.acquit(suspect)
        return _poisoned(sub, shard, RuntimeError("Its worker died each time it was delivered."), at, now)
    progress.suspect(suspect)
    return None


def _poisoned(sub: Subscription, shard: int, error: Exception, at: Token | None, now: datetime) -> Batch:
    """Stop before the event next to `at`, or park it, unless another worker has passed it meanwhile."""
    sentry_sdk.capture_exception(error)
    text = words_of(error)
    logger.error("event_poisoned", subscription=sub.name, error=text)
    with transaction.atomic():
        here = _lock(sub, shard)
        event, *_ = feed.first(here, sub.types, shards=sub.shards, shard=shard, unled=sub.unled)
        if here != at or event is None:
            return Batch(0, here, True)
        after = here if sub.kind == "projection" else event.token
        if sub.kind == "projection":
            execute(STOP, [text, sub.name, shard])
        else:
            _park(sub, [event], text, now)
            execute(MOVE, [after.era, after.xid, after.position, now, sub.name, shard])
    if sub.kind == "projection":
        raise Stopped from error
    metrics.EVENTS_PARKED.labels(sub.name).inc()
    return Batch(1, after, True)


def _park(sub: Subscription, events: Sequence[Recorded | feed.Place], error: str, now: datetime) -> None:
    if events:
        execute(PARK, [sub.name, error, now, [e.stream for e in events], [e.version for e in events]])


def _without_blocked(sub: Subscription, events: list[Recorded], now: datetime) -> list[Recorded]:
    if sub.kind == "projection" or not events:
        return events
    blocked = {row[0] for row in rows(BLOCKED, [sub.name, list({e.stream for e in events})])}
    if not blocked:
        return events
    _park(sub, [e for e in events if e.stream in blocked], "", now)
    return [e for e in events if e.stream not in blocked]


def _lock(sub: Subscription, shard: int) -> Token:
    found: list[tuple[Any, ...]] = rows(LOCK, [sub.name, shard])
    if not found:
        raise Busy
    if found[0][3] == "stopped":
        raise Stopped
    era, xid, position, _ = found[0]
    return Token(era, xid, position)


def _page(sub: Subscription, shard: int, at: Token, limit: int) -> feed.Page:
    return feed.page(at, sub.types, limit=limit, shards=sub.shards, shard=shard, unled=sub.unled)


def _next(at: Token, page: feed.Page) -> Token:
    if page.events:
        return page.events[-1].token
    return page.horizon if not page.whole or stale(at, page.horizon) else at


def stale(at: Token, horizon: Token) -> bool:
    """Whether a checkpoint without events of its own lags so far that it is worth moving."""
    return horizon > at and (horizon.era > at.era or horizon.xid - at.xid > STALE_XIDS)


def _left(sub: Subscription, shard: int, seen: Token | None) -> bool:
    """Whether settled events wait, those before `seen` aside: another look must follow, from here or from the sweep."""
    found = rows(
        "SELECT era, xid, position, state FROM sagas_checkpoint WHERE subscription = %s AND shard = %s",
        [sub.name, shard],
    )
    if not found or found[0][3] == "stopped":
        return False
    at = Token(*found[0][:3])
    waiting, _, whole = feed.first(
        max(at, seen or at), sub.types, shards=sub.shards, shard=shard, unled=sub.unled
    )
    return waiting is not None or not whole
