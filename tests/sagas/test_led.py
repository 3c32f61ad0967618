"""Readers that take part in choreographies are spared what is told of sagas that a coordinator leads."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.db import transaction

from sagas import bell, bus, feed, log
from sagas.clock import database_now
from sagas.delivery import deliver
from sagas.engine.rows import CHOREOGRAPHY
from sagas.ids import uuid7
from sagas.keeping.deadlines import readers_lag
from sagas.keeping.relay import PASS_BY_AFTER, relay
from sagas.lag import lags
from sagas.log import Append, Recorded, Token, publish
from sagas.models import Checkpoint
from tests.sagas.facts import NOW, Counted, listening
from tests.sagas.toys import start

pytestmark = pytest.mark.django_db(transaction=True)

START = Token(0, 0, 0)


def numbers(events: Sequence[Recorded]) -> list[int]:
    return [e.event.number for e in events]  # type: ignore[attr-defined]


def tell(*told: int, led: bool) -> None:
    """Publish so many facts of one transaction."""
    with transaction.atomic(), log.about(led=led):
        publish([Append(uuid7(), 1, Counted(number=number)) for number in told], now=NOW)


def test_a_part_hears_only_of_sagas_that_nobody_leads() -> None:
    heard: list[int] = []

    def handle(events: Sequence[Recorded]) -> None:
        heard.extend(numbers(events))

    with listening("sagas.t_part", handle, unled=True) as sub:
        tell(1, 3, led=True)
        tell(2, led=False)
        deliver(sub.name, now=database_now)

    assert heard == [2]


def test_it_is_rung_only_for_those(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(bus, "ring", lambda *names: rung.extend(names))

    with listening("sagas.t_part", lambda _: None, unled=True), listening("sagas.t_all", lambda _: None):
        tell(1, led=True)
        for_led = set(rung)
        tell(2, led=False)

    assert "sagas.t_all" in for_led
    assert "sagas.t_part" not in for_led
    assert "sagas.t_part" in rung


def test_facts_gathered_in_one_transaction_keep_each_its_own_mark() -> None:
    with transaction.atomic(), log.gathered():
        tell(1, led=True)
        tell(2, led=False)

    found = feed.page(START, [Counted.type], limit=10).events
    assert dict(zip(numbers(found), [e.metadata.get(log.LED) for e in found], strict=True)) == {
        1: True,
        2: None,
    }


def test_to_a_part_events_of_led_sagas_are_no_lag() -> None:
    with listening("sagas.t_part", lambda _: None, unled=True), listening("sagas.t_all", lambda _: None):
        tell(1, 2, led=True)
        waiting = {lag.subscription: lag.waiting for lag in lags()}
        part = (
            feed.first(START, [Counted.type], unled=True)[0],
            feed.pending(START, [Counted.type], unled=True),
        )

    assert (waiting["sagas.t_part"], waiting["sagas.t_all"]) == (0, 2)
    assert part == (None, False)


def test_a_part_passes_by_many_events_of_led_sagas_unrung(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", rung.append)

    with listening("sagas.t_part", lambda _: None, unled=True) as sub:
        deliver(sub.name, now=database_now)
        tell(*range(PASS_BY_AFTER + 1), led=True)
        relay(now=database_now())
        stands = Checkpoint.objects.get(subscription=sub.name)

    assert (
        Token(stands.era, stands.xid, stands.position)
        >= feed.page(START, [Counted.type], limit=1).events[0].token
    )
    assert "sagas.t_part" not in rung


def test_a_saga_whose_definition_needs_a_coordinator_is_not_started_without() -> None:
    with pytest.raises(ValueError, match="coordinator"), transaction.atomic():
        start(style=CHOREOGRAPHY)


def test_a_part_that_has_not_seen_the_whole_log_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening("sagas.t_part", lambda _: None, part=True):
        tell(1, led=True)
        tell(2, led=True)
        up_to_date = readers_lag(database_now())
        monkeypatch.setattr(feed, "WINDOW", 1)
        far_behind = readers_lag(database_now())

    assert (up_to_date, far_behind) == (False, True)
