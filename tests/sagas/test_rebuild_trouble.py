"""Rebuilding a projection in trouble: poison, skipped events, deaths, rivals, slow readers."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction

from config.embedded.stack import MANAGE
from config.embedded.state import BASE_DIR
from sagas import bell, operate
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.projections import get_projection, live_slot
from sagas.rebuild import builds
from sagas.rebuild.rows import ProjectionBuild, SkippedEvent
from sagas.rebuild.run import Indigestible, Outdated
from sagas.sql import execute, rows
from tests.conftest import Manage
from tests.sagas import tallies
from tests.sagas.facts import NOW, Counted, forgotten_writer
from tests.sagas.tallies import NAME, build, fresh_fold, last_build, live, tally, write
from tests.waiting import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tallied")]


WHO = {"actor": "ann", "reason": "the event is a test of somebody's"}


def test_f71_a_stopped_projection_is_rebuilt_up_to_the_event_it_stands_before() -> None:
    write(range(30))
    tallies.Bug.number = 17
    live()

    outcome = build(batch=4)
    tallies.Bug.number = None
    operate.retry_event(NAME, **WHO, now=database_now())
    live()

    assert (outcome.build.events, outcome.differing) == (17, 0)
    assert tally(2) == fresh_fold()


def test_f71_an_event_that_a_person_skipped_is_skipped_by_a_rebuild_too() -> None:
    write(range(30))
    tallies.Bug.number = 17
    live()
    operate.skip_event(NAME, **WHO, now=database_now())
    live()
    tallies.Bug.number = None

    outcome = build(batch=4)

    skipped = SkippedEvent.objects.get()
    assert (skipped.actor, skipped.reason, skipped.error) == (
        "ann",
        WHO["reason"],
        "ValueError: cannot digest 17",
    )
    assert (outcome.build.events, outcome.build.skipped, outcome.differing) == (29, 1, 0)
    assert tally(1) == tally(2) == fresh_fold()


def test_f71_a_skipped_event_that_cannot_even_be_read_does_not_stop_a_rebuild() -> None:
    write(range(5))
    execute(
        "INSERT INTO sagas_event (stream, version, type, schema_version, data, metadata, at, era, xid) SELECT %s, 1,"
        " %s, 1, '{\"nonsense\": true}', '{}', now(), 1, pg_current_xact_id()::text::bigint",
        [uuid7(), Counted.type],
    )
    write(range(5, 9))
    live()
    operate.skip_event(NAME, **WHO, now=database_now())
    live()

    outcome = build(batch=3)

    assert (outcome.build.events, outcome.build.skipped, outcome.differing) == (9, 1, 0)


def test_f71_a_fold_that_raises_stops_its_build_at_the_event_and_leaves_the_live_one_alone() -> None:
    write(range(30))
    live()
    tallies.Bug.number = 17

    with pytest.raises(Indigestible, match="ValueError: cannot digest 17"):
        build(batch=10)
    stopped = last_build()
    write(range(30, 35))
    tallies.Bug.number = None
    live()
    outcome = build(batch=10)

    assert (stopped.state, stopped.events, stopped.error) == ("stopped", 17, "ValueError: cannot digest 17")
    assert outcome.build.pk == stopped.pk
    assert (outcome.build.events, outcome.differing) == (35, 0)
    assert tally(1) == tally(2) == fresh_fold()


def test_an_event_skipped_after_the_build_took_it_in_is_noticed() -> None:
    write(range(30))
    live()
    run = builds.open_build(get_projection(NAME), afresh=False, now=NOW)[0]
    with transaction.atomic():
        get_projection(NAME).fold(events=[], slot=2, now=NOW)
    place = rows("SELECT stream, version, era, xid, position FROM sagas_event ORDER BY position LIMIT 1")[0]
    live_at = rows("SELECT era, xid, position FROM sagas_checkpoint WHERE subscription = %s", [NAME])[0]
    execute(builds.MOVE, [*live_at, 30, 0, NOW, run.pk])
    stream, version, era, xid, position = place
    SkippedEvent.objects.create(
        subscription=NAME, stream=stream, version=version, era=era, xid=xid, position=position, error="x",
        actor="ann", reason="x", skipped_at=NOW,
    )  # fmt: skip

    with pytest.raises(Outdated):
        build()

    assert live_slot(NAME) == 1
    assert build(afresh=True).build.events == 29


def test_two_rebuilds_of_one_projection_at_once_are_one_too_many() -> None:
    write(range(5))
    live()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with builds.claimed(NAME):
            held.set()
            done.wait(10)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    held.wait(10)

    with pytest.raises(CommandError, match="is being rebuilt by another process"):
        call_command("rebuild_projection", NAME)

    done.set()
    other.join()
    assert ProjectionBuild.objects.count() == 0
    assert build().differing == 0


def test_a_build_is_continued_where_it_was_and_begun_anew_when_asked() -> None:
    write(range(30))
    live()
    tallies.Bug.number = 17
    for _ in range(2):
        with pytest.raises(Indigestible):
            build(batch=10)
    tallies.Bug.number = None

    outcome = build(afresh=True)

    assert [b.state for b in ProjectionBuild.objects.order_by("id")] == ["dropped", "swapped"]
    assert (outcome.build.events, outcome.differing) == (30, 0)


def test_a_worker_that_came_while_the_slots_were_swapped_is_called_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(range(5))
    live()
    rung: list[str] = []
    monkeypatch.setattr(bell, "ring", rung.append)

    build()

    assert rung == [NAME]


def test_a_reader_at_the_spare_slot_is_waited_for_without_holding_up_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(builds, "TRUNCATE_PAUSE_SECONDS", 0.05)
    write(range(5))
    live()
    reading = threading.Event()

    def read_slowly() -> None:
        with transaction.atomic():
            rows("SELECT count(*) FROM toy_tally_2")
            reading.set()
            time.sleep(0.7)
        connection.close()

    reader = threading.Thread(target=read_slowly)
    reader.start()
    reading.wait(10)

    outcome = build()

    reader.join()
    assert outcome.swapped


def test_f71_a_rebuild_killed_half_way_goes_on_where_it_was(
    system_env: dict[str, str], manage: Manage
) -> None:
    write(range(200))
    live()
    toys = {"DJANGO_SETTINGS_MODULE": "tests.sagas.toy_settings"}
    killed = subprocess.Popen(
        [*MANAGE, "rebuild_projection", NAME, "--batch", "10"],
        cwd=BASE_DIR,
        env=os.environ | system_env | toys | {tallies.SLOW: "0.1"},
        stdout=subprocess.DEVNULL,
    )
    assert eventually(lambda: ProjectionBuild.objects.filter(events__gte=40).exists(), within=30)

    killed.kill()
    killed.wait(10)
    halfway = last_build()
    write(range(200, 230))
    live()
    done = manage("rebuild_projection", NAME, env=toys)

    assert (halfway.state, 40 <= halfway.events < 200) == ("building", True)
    assert sum(row[0] for row in rows("SELECT events FROM toy_tally WHERE slot = 2")) == 230
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(rf"{NAME}: 230 events, \d+ of them now, in \d", done.stdout)
    assert "toy_tally: 14 rows, none differs" in done.stdout
    assert "Slot 2 is live now; slot 1 stays until the next build." in done.stdout
    assert (last_build().pk, last_build().state, last_build().events) == (halfway.pk, "swapped", 230)
    assert tally(1) == tally(2) == fresh_fold()


def test_f69_f71_a_rebuild_behind_a_forgotten_writer_is_as_far_as_live_delivery_and_misses_nothing() -> None:
    write(range(20))
    live()
    with forgotten_writer("postgres") as session:
        write(range(20, 30))
        live()
        outcome = build()
        session.rollback()
    delivered = live()

    assert (outcome.build.events, outcome.differing) == (20, 0)
    assert delivered == 10
    assert tally(2) == fresh_fold()


def test_a_checkpoint_that_was_set_back_behind_a_build_is_noticed() -> None:
    write(range(30))
    live()
    tallies.Bug.number = 29
    with pytest.raises(Indigestible):
        build(batch=10)
    tallies.Bug.number = None
    execute("UPDATE sagas_checkpoint SET era = 0, xid = 0, position = 0 WHERE subscription = %s", [NAME])

    with pytest.raises(Outdated, match="set back"):
        build()

    assert live_slot(NAME) == 1


def test_f71_a_swap_that_is_interrupted_has_not_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    write(range(30))
    live()

    def break_off(*_: object, **__: object) -> None:
        raise OperationalError("the server went away")

    with monkeypatch.context() as broken:
        broken.setattr(builds, "end", break_off)
        with pytest.raises(OperationalError):
            build()
    slot, left = live_slot(NAME), last_build()
    outcome = build()

    assert (slot, left.state, left.events) == (1, "building", 30)
    assert (outcome.build.pk, outcome.taken, outcome.differing) == (left.pk, 0, 0)
    assert live_slot(NAME) == 2
