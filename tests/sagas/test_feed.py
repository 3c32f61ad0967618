"""The feed misses nothing: the experiment that chose its order, kept so that nobody simplifies it back."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import connection, transaction

from sagas import feed
from sagas.clock import database_now
from sagas.delivery import deliver
from sagas.ids import uuid7
from sagas.log import Append, Token, next_era, publish
from sagas.sql import rows
from tests.sagas.facts import NOW, Counted, Ignored, count, listening

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, PER_WRITER = 16, 40
START = Token(0, 0, 0)

BY_POSITION = "SELECT position, stream FROM sagas_event WHERE position > %s ORDER BY position LIMIT 500"
BY_POSITION_BELOW_XMIN = """
SELECT position, stream FROM sagas_event
 WHERE position > %s AND xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
 ORDER BY position LIMIT 500
"""


def _write(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(PER_WRITER):
        with transaction.atomic():
            rows("SELECT pg_current_xact_id()")
            time.sleep(rng.uniform(0, 0.004))
            count(uuid7(), 1)
            time.sleep(rng.uniform(0, 0.004))
            transaction.set_rollback(rng.random() < 0.02)
    connection.close()


def _read_while_writing(read_once: Callable[[], int]) -> None:
    writers = [threading.Thread(target=_write, args=(seed,)) for seed in range(WRITERS)]
    for writer in writers:
        writer.start()
    while any(w.is_alive() for w in writers):
        read_once()
    while read_once():
        pass


def _missed(seen: set[UUID]) -> int:
    written = {row[0] for row in rows("SELECT stream FROM sagas_event")}
    assert len(written) > WRITERS * PER_WRITER * 0.9
    return len(written - seen)


def _naive(statement: str) -> int:
    seen: set[UUID] = set()
    at = 0

    def read_once() -> int:
        nonlocal at
        found = rows(statement, [at])
        seen.update(row[1] for row in found)
        at = found[-1][0] if found else at
        return len(found)

    _read_while_writing(read_once)
    return _missed(seen)


def test_f70_the_feed_shows_every_event_once_under_sixteen_writers() -> None:
    seen: list[UUID] = []
    at = START

    def read_once() -> int:
        nonlocal at
        events = feed.page(at, [Counted.type], limit=500).events
        seen.extend(e.stream for e in events)
        at = events[-1].token if events else at
        return len(events)

    _read_while_writing(read_once)

    assert _missed(set(seen)) == 0
    assert len(seen) == len(set(seen))


def test_reading_by_position_alone_misses_events() -> None:
    assert _naive(BY_POSITION) > 0


def test_reading_by_position_below_the_horizon_still_misses_events() -> None:
    assert _naive(BY_POSITION_BELOW_XMIN) > 0


def test_an_event_waits_for_every_older_transaction_that_may_still_write() -> None:
    older = _Session()
    older.begin()
    count(uuid7(), 1)

    before = feed.page(START, [Counted.type], limit=10).events
    older.commit()

    assert before == []
    assert len(feed.page(START, [Counted.type], limit=10).events) == 1


def test_a_later_version_may_come_first_in_the_feed() -> None:
    """The feed is in transaction order: one that began earlier may append v2 after a later one committed v1."""
    stream = uuid7()
    older = _Session()
    older.begin()
    count(stream, 1)
    older.call(lambda: count(stream, 2))
    older.commit()

    versions = [e.version for e in feed.page(START, [Counted.type], limit=10).events]

    assert versions == [2, 1]


def test_versions_of_one_writer_come_in_order() -> None:
    stream = uuid7()
    with transaction.atomic():
        count(stream, 1)
        count(stream, 2)
    count(stream, 3)

    assert [e.version for e in feed.page(START, [Counted.type], limit=10).events] == [1, 2, 3]


def test_after_a_restore_events_of_the_old_server_are_settled_whatever_their_numbers() -> None:
    with transaction.atomic():
        rows("SELECT set_config('session_replication_role', 'replica', true)")
        count(uuid7(), 1)
        rows("UPDATE sagas_event SET xid = 9000000000000 RETURNING 1")
    hidden = feed.page(START, [Counted.type], limit=10).events

    next_era("restored from yesterday's backup")
    count(uuid7(), 1)

    old = feed.page(START, [Counted.type], limit=10)
    new = feed.page(old.horizon, [Counted.type], limit=10)
    assert hidden == []
    assert [e.token.era for e in (*old.events, *new.events)] == [1, 2]
    assert (old.whole, new.whole) == (False, True)


class _Session:
    """A second database session that does what it is told, in a thread of its own."""

    def __init__(self) -> None:
        self._todo: list[Callable[[], object]] = []
        self._ready, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def begin(self) -> None:
        self._atomic = transaction.atomic()
        self.call(self._atomic.__enter__)
        self.call(lambda: rows("SELECT pg_current_xact_id()"))

    def commit(self) -> None:
        self.call(lambda: self._atomic.__exit__(None, None, None))
        self.call(lambda: connection.close())  # noqa: PLW0108 - the connection of the thread that calls it

    def call(self, what: Callable[[], object]) -> None:
        self._todo.append(what)
        self._ready.release()
        assert self._done.acquire(timeout=10)

    def _run(self) -> None:
        while self._ready.acquire(timeout=10):
            self._todo.pop(0)()
            self._done.release()


def test_a_reader_new_to_a_long_log_comes_forward_by_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "WINDOW", 3)
    for number in range(10):
        publish([Append(uuid7(), 1, Ignored(number=number))], now=NOW)
    count(uuid7(), 1, 7)
    seen: list[int] = []

    with listening("sagas.t_new", lambda events: seen.extend(e.version for e in events)) as sub:
        looked = feed.page(START, [Counted.type], limit=10)
        place, upto, whole = feed.first(START, [Counted.type])
        again = feed.page(looked.horizon, [Counted.type], limit=10)
        delivered = deliver(sub.name, now=database_now)

    assert (looked.events, looked.whole) == ([], False)
    assert (place, upto, whole) == (None, looked.horizon, False)
    assert START < looked.horizon < again.horizon < feed.end()
    assert (delivered, seen) == (1, [1])


def test_a_look_that_reaches_the_end_says_so() -> None:
    count(uuid7(), 1)

    found = feed.page(START, [Counted.type], limit=10)
    nothing = feed.page(found.horizon, [Counted.type], limit=10)

    assert (len(found.events), found.whole, nothing.events, nothing.whole) == (1, True, [], True)
