"""Deliveries at their edges: events this code cannot read, two workers at one reader, poison that another passed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import transaction

from config.demo.run import lagging
from sagas import bell, bus, delivery, feed, operate
from sagas.bus import Subscription
from sagas.clock import database_now
from sagas.delivery import deliver
from sagas.ids import uuid7
from sagas.keeping import relay as keeping_relay
from sagas.keeping.relay import relay
from sagas.log import Recorded, Token
from sagas.models import Checkpoint, ParkedEvent
from sagas.sql import execute
from tests.sagas.facts import Counted, count, listening

pytestmark = pytest.mark.django_db(transaction=True)

UNREADABLE = """
INSERT INTO sagas_event (stream, version, type, schema_version, data, metadata, at, era, xid)
SELECT %s, 1, %s, 1, '{"nonsense": true}', '{}', now(), (SELECT max(era) FROM sagas_era),
       pg_current_xact_id()::text::bigint
"""


def unreadable() -> None:
    """An event another version of the code wrote, which this one cannot read."""
    execute(UNREADABLE, [uuid7(), Counted.type])


def numbers(events: Sequence[Recorded]) -> list[int]:
    return [e.event.number for e in events]  # type: ignore[attr-defined]


def run(name: str) -> int:
    return deliver(name, now=database_now)


def test_a_reaction_parks_an_event_this_code_cannot_read_and_goes_on() -> None:
    seen: list[int] = []

    with listening("sagas.t_unreadable", lambda events: seen.extend(numbers(events))) as sub:
        count(uuid7(), 1, 1)
        unreadable()
        count(uuid7(), 1, 2)
        run(sub.name)

    assert seen == [1, 2]
    assert ParkedEvent.objects.get().error.startswith("TypeError")


def test_a_projection_stops_at_an_event_this_code_cannot_read_until_a_person_passes_over_it() -> None:
    seen: list[int] = []

    with listening("sagas.t_stopped", lambda events: seen.extend(numbers(events)), kind="projection") as sub:
        count(uuid7(), 1, 1)
        unreadable()
        count(uuid7(), 1, 2)
        run(sub.name)
        stopped = Checkpoint.objects.get(subscription=sub.name)
        operate.skip_event(sub.name, actor="ann", reason="of another version", now=database_now())
        run(sub.name)

    assert stopped.state == "stopped"
    assert seen == [1, 2]


def test_the_relay_rings_although_the_next_event_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", rung.append)

    with listening("sagas.t_rung", lambda _: None) as sub:
        unreadable()
        relay(now=database_now())

    assert sub.name in rung


def test_a_reader_in_no_hurry_is_rung_by_the_relay_and_not_by_each_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rung: list[str] = []

    with listening("sagas.t_prompt", lambda _: None), listening("sagas.t_calm", lambda _: None, every=10):
        monkeypatch.setattr(bus, "ring", rung.append)
        monkeypatch.setattr(bell, "ring", rung.append)
        count(uuid7(), 1, 1)
        at_once = [name for name in rung if name in ("sagas.t_prompt", "sagas.t_calm")]
        relay(now=database_now())

    assert at_once == ["sagas.t_prompt"]
    assert "sagas.t_calm" in rung


def test_a_reader_in_no_hurry_is_left_alone_until_its_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    with listening("sagas.t_calm", lambda _: None, every=10) as sub:
        count(uuid7(), 1)
        run(sub.name)
        count(uuid7(), 1)
        monkeypatch.setattr(bell, "ring", rung.append)
        looked = database_now()
        relay(now=looked + timedelta(seconds=9))
        too_early = sub.name in rung
        relay(now=looked + timedelta(seconds=11))

    assert not too_early
    assert sub.name in rung


def test_a_worker_that_finds_another_at_its_reader_leaves_the_bell_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", rung.append)
    monkeypatch.setattr(bell, "let_go", rung.append)

    def busy(*_: object) -> None:
        raise delivery.Busy

    with listening("sagas.t_busy", lambda _: None) as sub:
        count(uuid7(), 1, 1)
        rung.clear()
        monkeypatch.setattr(delivery, "_lock", busy)
        delivered = run(sub.name)

    assert delivered == 0
    assert rung == []


@pytest.mark.parametrize("kind", ["reaction", "projection"])
def test_poison_that_another_worker_has_passed_meanwhile_is_blamed_on_nobody(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    fails = True

    def handle(events: Sequence[Recorded]) -> None:
        if fails and 1 in numbers(events):
            raise ValueError("only once")
        seen.extend(numbers(events))

    poisoned = delivery._poisoned

    def after_another(sub: Subscription, *args: object) -> delivery.Batch:
        nonlocal fails
        fails = False
        first = feed.page(Token(0, 0, 0), sub.types, limit=1).events[0]
        with transaction.atomic():
            token = first.token
            execute(delivery.MOVE, [token.era, token.xid, token.position, database_now(), sub.name, 0])
        return poisoned(sub, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(delivery, "_poisoned", after_another)

    with listening("sagas.t_passed", handle, kind=kind) as sub:  # type: ignore[arg-type]
        count(uuid7(), 1, 1)
        count(uuid7(), 1, 2)
        run(sub.name)

    assert seen == [2]
    assert ParkedEvent.objects.count() == 0
    assert Checkpoint.objects.get(subscription=sub.name).state == "running"


def test_a_reader_far_behind_does_not_have_the_others_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping_relay, "LOOKED_THROUGH", 2)
    looked: list[str] = []

    def look(sub: bus.Subscription, *_: object) -> int:
        looked.append(sub.name)
        return 0

    calm_one = listening("sagas.t_calm", lambda _: None, every=10)
    with listening("sagas.t_prompt", lambda _: None) as prompt, calm_one as calm:
        count(uuid7(), 1)
        run(calm.name)
        for _ in range(5):
            count(uuid7(), 1)
        for task in lagging():
            if task != calm.name:
                run(task)
        monkeypatch.setattr(keeping_relay, "_relay", look)
        relay(now=database_now() + timedelta(seconds=11))

    assert calm.name in looked
    assert prompt.name not in looked
