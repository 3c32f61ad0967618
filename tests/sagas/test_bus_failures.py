"""The bus when something goes wrong: nothing is missed, nothing is taken in twice."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config.embedded.state import BASE_DIR
from sagas import delivery, lag, operate
from sagas.clock import database_now, travel
from sagas.delivery import deliver
from sagas.ids import uuid7
from sagas.keeping.relay import relay
from sagas.log import Recorded
from sagas.models import Checkpoint, ParkedEvent
from sagas.rebuild.rows import SkippedEvent
from sagas.sql import execute
from sagas.tasks import run_delivery
from tests.sagas.facts import Counted, count, forgotten_writer, listening

pytestmark = pytest.mark.django_db(transaction=True)


def numbers(events: Sequence[Recorded]) -> list[int]:
    return [e.event.number for e in events]  # type: ignore[attr-defined]


def run(name: str) -> int:
    return deliver(name, now=database_now)


@pytest.fixture(params=["our own", "another"])
def database(request: pytest.FixtureRequest) -> str:
    """A database of the same server."""
    return str(connection.settings_dict["NAME"]) if request.param == "our own" else "postgres"


def test_f69_behind_a_forgotten_writer_readers_wait_and_miss_nothing(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "SLOW_WRITER_SECONDS", 0.3)
    seen: list[int] = []

    with listening("sagas.t_waits", lambda e: seen.extend(numbers(e)), kind="projection") as sub:
        count(uuid7(), 1, 0)
        run(sub.name)
        with forgotten_writer(database) as session:
            for n in range(1, 30):
                count(uuid7(), 1, n)
                if n % 10 == 0:
                    run(sub.name)
            time.sleep(0.3)
            pid, waiting, writer = session.info.backend_pid, lag.lags(), lag.slowest_writer()
            before = list(seen)
            session.rollback()
        run(sub.name)

    mine = next(one for one in waiting if one.subscription == sub.name)
    assert (mine.waiting, mine.state) == (29, "running")
    assert writer is not None
    assert (writer.pid, writer.application) == (pid, "forgotten")
    assert (writer.database, writer.state) == (database, "idle in transaction")
    assert before == [0]
    assert seen == list(range(30))


def test_f69_the_time_out_ends_a_forgotten_writer_and_readers_go_on(database: str) -> None:
    seen: list[int] = []

    with (
        listening("sagas.t_timeout", lambda e: seen.extend(numbers(e)), kind="projection") as sub,
        forgotten_writer(database, timeout_seconds=0.5) as session,
    ):
        for n in range(10):
            count(uuid7(), 1, n)
        run(sub.name)
        before = list(seen)
        time.sleep(1)
        run(sub.name)

        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            session.execute("SELECT 1")

    assert before == []
    assert seen == list(range(10))


def test_f62_a_delivery_that_runs_twice_and_a_day_later_has_one_effect() -> None:
    seen: list[int] = []

    with listening("sagas.t_twice", lambda e: seen.extend(numbers(e))) as sub:
        for n in range(5):
            count(uuid7(), 1, n)
        for _ in range(2):
            run_delivery(sub.name)
        travel(24 * 3600)
        relay(now=database_now())
        run_delivery(sub.name)
        travel(0)

    assert seen == [0, 1, 2, 3, 4]


def test_f71_a_projection_that_cannot_go_on_stops_alone_and_says_why() -> None:
    good: list[int] = []

    def fail(events: Sequence[Recorded]) -> None:
        if 3 in numbers(events):
            raise ValueError("three is not for me")

    with (
        listening("sagas.t_bad", fail, kind="projection") as bad,
        listening("sagas.t_good", lambda e: good.extend(numbers(e)), kind="projection") as other,
    ):
        for n in range(6):
            count(uuid7(), 1, n)
        run(bad.name)
        run(other.name)
        out = StringIO()
        with pytest.raises(CommandError, match="A projection stands still"):
            call_command("sagas", "readers", stdout=out)
        stopped = next(one for one in lag.lags() if one.subscription == bad.name)

    line = next(line for line in out.getvalue().splitlines() if bad.name in line)
    assert re.match(
        rf"{bad.name} +projection +stopped +3 +[\d.]+ +\S+ +ValueError: three is not for me", line
    )
    assert (stopped.waiting, stopped.error) == (3, "ValueError: three is not for me")
    assert stopped.oldest is not None
    assert good == [0, 1, 2, 3, 4, 5]


def test_f71_a_stopped_projection_tries_its_event_again_when_told() -> None:
    seen: list[int] = []
    mended = False

    def handle(events: Sequence[Recorded]) -> None:
        if 3 in numbers(events) and not mended:
            raise ValueError("not yet")
        seen.extend(numbers(events))

    with listening("sagas.t_again", handle, kind="projection") as sub:
        for n in range(6):
            count(uuid7(), 1, n)
        run(sub.name)
        call_command("sagas", "retry-event", sub.name, actor="ann", reason="let us see")
        run(sub.name)
        stopped_again = Checkpoint.objects.get(subscription=sub.name)
        mended = True
        call_command("sagas", "retry-event", sub.name, actor="ann", reason="the bug is mended")
        run(sub.name)

    assert (stopped_again.state, stopped_again.error) == ("stopped", "ValueError: not yet")
    assert seen == [0, 1, 2, 3, 4, 5]
    assert SkippedEvent.objects.count() == 0


def test_f71_an_event_skipped_from_a_shell_is_shown_with_who_and_why() -> None:
    def fail(events: Sequence[Recorded]) -> None:
        if 3 in numbers(events):
            raise ValueError("three is not for me")

    with listening("sagas.t_skipped", fail, kind="projection") as sub:
        for n in range(6):
            count(uuid7(), 1, n)
        run(sub.name)
        call_command("sagas", "skip-event", sub.name, actor="ann", reason="a test of somebody's")
        run(sub.name)
        out = StringIO()
        call_command("sagas", "readers", "--json", stdout=out)

    told = json.loads(out.getvalue())
    mine = next(one for one in told["readers"] if one["reader"] == sub.name)
    skipped = {key: told["skipped"][0][key] for key in ("reader", "version", "actor", "reason", "error")}
    assert (mine["state"], mine["events_behind"], mine["seconds_behind"]) == ("running", 0, 0)
    assert skipped == {
        "reader": sub.name, "version": 1, "actor": "ann", "reason": "a test of somebody's",
        "error": "ValueError: three is not for me",
    }  # fmt: skip


def test_f71_a_running_projection_passes_over_nothing() -> None:
    seen: list[int] = []

    with listening("sagas.t_runs", lambda e: seen.extend(numbers(e)), kind="projection") as sub:
        count(uuid7(), 1, 1)
        with pytest.raises(CommandError, match=r"Refused: sagas\.t_runs is not stopped"):
            call_command("sagas", "skip-event", sub.name, actor="ann", reason="for fun")
        run(sub.name)

    assert seen == [1]
    assert SkippedEvent.objects.count() == 0


def test_f64_a_reader_is_not_disturbed_by_events_that_this_code_does_not_know() -> None:
    seen: list[int] = []

    with listening("sagas.t_unknown", lambda e: seen.extend(numbers(e))) as sub:
        count(uuid7(), 1, 1)
        execute(
            "INSERT INTO sagas_event (stream, version, type, schema_version, data, metadata, at, era, xid)"
            " SELECT %s, 1, 'tests.OfTomorrow', 1, '{}', '{}', now(), 1, pg_current_xact_id()::text::bigint",
            [uuid7()],
        )
        count(uuid7(), 1, 2)
        run(sub.name)

    assert seen == [1, 2]
    assert ParkedEvent.objects.count() == 0


DEADLY = """
import django, os, signal; django.setup()
from sagas import delivery
from sagas.clock import database_now
from tests.sagas.facts import listening
delivery.FULL = 4
def handle(events):
    if any(e.event.number == 5 for e in events):
        os.kill(os.getpid(), signal.SIGKILL)
with listening("sagas.t_deadly", handle, kind="{kind}"):
    delivery.deliver("sagas.t_deadly", now=database_now)
"""


@pytest.mark.parametrize("kind", ["reaction", "projection"])
def test_f64_an_event_that_kills_its_process_is_cornered_and_the_rest_goes_on(
    kind: str, system_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "FULL", 4)
    for n in range(10):
        count(uuid7(), 1, n)
    codes = []
    for _ in range(8):
        done = subprocess.run(
            [sys.executable, "-c", DEADLY.format(kind=kind)], cwd=BASE_DIR, env=os.environ | system_env,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        codes.append(done.returncode)
        if done.returncode == 0:
            break

    seen: list[int] = []
    with listening("sagas.t_deadly", lambda e: seen.extend(numbers(e)), kind=kind) as sub:  # type: ignore[arg-type]
        if kind == "projection":
            stopped = Checkpoint.objects.get(subscription=sub.name)
            assert (stopped.state, "died each time" in stopped.error) == ("stopped", True)
            operate.skip_event(sub.name, actor="ann", reason="it kills", now=database_now())
            run(sub.name)

        left = next(one for one in lag.lags() if one.subscription == sub.name)

    assert codes[-1] == 0
    assert codes[:-1] == [-signal.SIGKILL] * len(codes[:-1])
    assert len(codes) >= 4
    if kind == "projection":
        assert seen == [6, 7, 8, 9]
        assert SkippedEvent.objects.count() == 1
    else:
        parked = ParkedEvent.objects.get()
        assert parked.error == "RuntimeError: Its worker died each time it was delivered."
        assert left.waiting == 0


def test_f64_an_event_of_a_known_type_with_broken_data_is_parked_and_can_be_dropped() -> None:
    seen: list[int] = []

    with listening("sagas.t_broken", lambda e: seen.extend(numbers(e))) as sub:
        for data in ('{"nonsense": true}', "[1, 2]", '"text"', '{"number": 1, "who": "nobody"}'):
            execute(
                "INSERT INTO sagas_event (stream, version, type, schema_version, data, metadata, at, era, xid)"
                " SELECT %s, 1, %s, 1, %s::jsonb, '{}', now(), 1, pg_current_xact_id()::text::bigint",
                [uuid7(), Counted.type, data],
            )
        count(uuid7(), 1, 7)
        run(sub.name)
        ids = list(ParkedEvent.objects.values_list("pk", flat=True))
        operate.settle_parked(ids, how="drop", actor="ann", reason="broken", now=database_now())

    assert seen == [7]
    assert len(ids) == 4
    assert {p.settled_how for p in ParkedEvent.objects.all()} == {"drop: broken"}
