"""Deliveries: effect and checkpoint together, poison, order of streams, overlapping workers."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from django.db import connection
from prometheus_client import REGISTRY

from sagas import delivery, feed, keeping, operate
from sagas.clock import database_now
from sagas.delivery import deliver
from sagas.ids import uuid7
from sagas.log import Append, Recorded, Token, publish, read
from sagas.models import Checkpoint, ParkedEvent
from sagas.people import PersonData, remember_people
from sagas.personal import Person
from sagas.sql import rows
from tests.sagas.facts import NOW, Counted, Ignored, count, listening

pytestmark = pytest.mark.django_db(transaction=True)


def run(name: str) -> int:
    return deliver(name, now=database_now)


def test_every_event_is_delivered_once_in_batches() -> None:
    seen: list[int] = []
    batches: list[int] = []

    def handle(events: Sequence[Recorded]) -> None:
        batches.append(len(events))
        seen.extend(e.event.number for e in events)  # type: ignore[attr-defined]

    with listening("sagas.t_once", handle) as sub:
        for n in range(20):
            count(uuid7(), 1, n)
        run(sub.name)
        run(sub.name)

    assert seen == list(range(20))
    assert batches == [20]


def test_a_batch_that_fails_leaves_neither_effect_nor_checkpoint() -> None:
    calls = 0

    def handle(events: Sequence[Recorded]) -> None:
        nonlocal calls
        calls += 1
        remember_people([PersonData(uuid7(), f"p{calls}") for _ in events], now=NOW)
        if calls == 1:
            raise ConnectionAbortedError("once")

    with listening("sagas.t_atomic", handle) as sub:
        count(uuid7(), 1)
        count(uuid7(), 1)
        run(sub.name)

    assert Person.objects.filter(reference="p1").count() == 0
    assert Person.objects.count() == 2


def test_a_reaction_parks_a_poison_event_and_later_ones_of_its_stream_and_goes_on() -> None:
    seen: list[int] = []
    bad = uuid7()

    def handle(events: Sequence[Recorded]) -> None:
        numbers = [e.event.number for e in events]  # type: ignore[attr-defined]
        if 13 in numbers:
            raise ValueError("unlucky")
        seen.extend(numbers)

    with listening("sagas.t_poison", handle) as sub:
        for n in range(13):
            count(uuid7(), 1, n)
        count(bad, 1, 13)
        count(bad, 2, 14)
        for n in range(15, 40):
            count(uuid7(), 1, n)
        run(sub.name)

    assert seen == [n for n in range(40) if n not in (13, 14)]
    parked = list(ParkedEvent.objects.order_by("version").values_list("stream", "version", "error"))
    assert parked == [(bad, 1, "ValueError: unlucky"), (bad, 2, "")]


def test_a_parked_event_is_delivered_again_once_its_cause_is_mended() -> None:
    seen: list[int] = []
    broken = True

    def handle(events: Sequence[Recorded]) -> None:
        if broken:
            raise ValueError("not yet")
        seen.extend(e.event.number for e in events)  # type: ignore[attr-defined]

    stream = uuid7()
    with listening("sagas.t_mended", handle) as sub:
        count(stream, 1, 1)
        count(stream, 2, 2)
        run(sub.name)
        broken = False
        ids = list(ParkedEvent.objects.values_list("pk", flat=True))
        operate.settle_parked(ids, how="redeliver", actor="ann", reason="mended", now=database_now())
        count(stream, 3, 3)
        run(sub.name)

    assert seen == [1, 2, 3]
    assert ParkedEvent.objects.filter(settled_at__isnull=True).count() == 0


def test_a_projection_stops_at_poison_until_a_person_passes_over_it() -> None:
    seen: list[int] = []

    def handle(events: Sequence[Recorded]) -> None:
        numbers = [e.event.number for e in events]  # type: ignore[attr-defined]
        if 2 in numbers:
            raise ValueError("unlucky")
        seen.extend(numbers)

    with listening("sagas.t_stops", handle, kind="projection") as sub:
        for n in range(5):
            count(uuid7(), 1, n)
        run(sub.name)
        stopped = Checkpoint.objects.get(subscription=sub.name)
        operate.skip_event(sub.name, actor="ann", reason="test row", now=database_now())
        run(sub.name)

    assert (stopped.state, stopped.error) == ("stopped", "ValueError: unlucky")
    assert seen == [0, 1, 3, 4]


def test_two_workers_at_one_subscription_deliver_nothing_twice() -> None:
    seen: list[int] = []

    def handle(events: Sequence[Recorded]) -> None:
        seen.extend(e.event.number for e in events)  # type: ignore[attr-defined]

    def work() -> None:
        run("sagas.t_twins")
        connection.close()

    with listening("sagas.t_twins", handle):
        for n in range(300):
            count(uuid7(), 1, n)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run("sagas.t_twins")

    assert sorted(seen) == list(range(300))


def test_shards_share_the_streams_between_them() -> None:
    seen: list[int] = []

    def handle(events: Sequence[Recorded]) -> None:
        seen.extend(e.event.number for e in events)  # type: ignore[attr-defined]

    with listening("sagas.t_shards", handle, shards=3) as sub:
        for n in range(60):
            count(uuid7(), 1, n)
        counts = [run(sub.task(shard)) for shard in range(3)]

    assert sorted(seen) == list(range(60))
    assert all(counts)
    assert sum(counts) == 60


def test_a_consumer_that_needs_stream_order_finds_the_gap_in_the_log() -> None:
    """A consumer keeps the last version per stream and reads what is missing: it is committed already."""
    stream = uuid7()
    count(stream, 1, 1)
    count(stream, 2, 2)
    delivered = feed.page(Token(0, 0, 0), [Counted.type], limit=10).events[1]

    missing = read(stream, after=0)[: delivered.version - 1]

    assert [e.version for e in [*missing, delivered]] == [1, 2]


def test_what_was_delivered_and_what_was_parked_is_counted() -> None:
    def handle(events: Sequence[Recorded]) -> None:
        if any(e.event.number == 13 for e in events):  # type: ignore[attr-defined]
            raise ValueError("unlucky")

    with listening("sagas.t_counted", handle) as sub:
        for n in (12, 13, 14):
            count(uuid7(), 1, n)
        run(sub.name)

    def counted(metric: str) -> float | None:
        return REGISTRY.get_sample_value(metric, {"subscription": "sagas.t_counted"})

    assert counted("waybill_events_delivered_total") == 2
    assert counted("waybill_events_parked_total") == 1


def test_a_reader_of_rare_events_is_moved_past_the_common_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise each look for its next event would read everything since its last one."""
    monkeypatch.setattr(delivery, "STALE_XIDS", 10)
    with listening("sagas.t_rare", lambda _: None) as sub:
        for n in range(30):
            publish([Append(uuid7(), 1, Ignored(number=n))], now=NOW)

        keeping.relay.relay(now=database_now())

    at = Checkpoint.objects.get(subscription=sub.name)
    assert at.xid > max(row[0] for row in rows("SELECT xid FROM sagas_event")) - 10
