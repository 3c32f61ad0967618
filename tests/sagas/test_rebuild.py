"""Rebuilding a projection: beside live traffic, killed and continued, compared, swapped."""

from __future__ import annotations

import os
import random
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from config.audit.read_models import read_models
from config.embedded.stack import MANAGE
from config.embedded.state import BASE_DIR
from sagas import bell, operate
from sagas.clock import database_now
from sagas.delivery import deliver
from sagas.ids import uuid7
from sagas.log import Append, publish
from sagas.projections import forget_projection, get_projection, live_slot
from sagas.rebuild import builds, display
from sagas.rebuild.display import shown
from sagas.rebuild.rows import ProjectionBuild, SkippedEvent
from sagas.rebuild.run import Indigestible, Outcome, Outdated, rebuild
from sagas.sql import execute, rows
from tests.conftest import Manage
from tests.sagas import tallies
from tests.sagas.facts import NOW, Counted, count, forgotten_writer
from tests.sagas.tallies import NAME
from tests.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

WHO = {"actor": "ann", "reason": "the event is a test of somebody's"}


@pytest.fixture(autouse=True)
def tables(transactional_db: None) -> Iterator[None]:
    """The toy projection with its partitioned tables."""
    execute(tallies.CREATE)
    tallies.Bug.number, tallies.Bug.factor = None, 1
    tallies.register()
    yield
    forget_projection(NAME)
    tallies.Bug.number, tallies.Bug.factor = None, 1
    execute(tallies.DROP)


def write(numbers: range, streams: int = 7) -> None:
    """Events with these numbers on a few streams, some with many events."""
    ids = [uuid7() for _ in range(streams)]
    publish([Append(ids[n % streams], None, Counted(number=n)) for n in numbers], now=NOW)


def live() -> int:
    return deliver(NAME, now=database_now)


def build(**more: object) -> Outcome:
    return rebuild(get_projection(NAME), clock=database_now, **more)  # type: ignore[arg-type]


def tally(slot: int) -> list[tuple[object, ...]]:
    return rows("SELECT stream, events, total FROM toy_tally WHERE slot = %s ORDER BY 1", [slot])


def fresh_fold() -> list[tuple[object, ...]]:
    """What the log says, by SQL of its own."""
    return rows(
        "SELECT stream, count(*)::int, sum((data->>'number')::int)::bigint FROM sagas_event e"
        " WHERE NOT EXISTS (SELECT FROM sagas_skippedevent s WHERE s.stream = e.stream AND s.version = e.version)"
        " AND type = 'tests.Counted' GROUP BY 1 ORDER BY 1"
    )


def last_build() -> ProjectionBuild:
    return ProjectionBuild.objects.latest("id")


def test_a_rebuild_fills_the_spare_slot_and_swaps_it_in() -> None:
    write(range(100))
    live()

    outcome = build(batch=7)

    assert live_slot(NAME) == 2
    assert tally(1) == tally(2) == fresh_fold()
    assert (outcome.differing, outcome.old_slot, outcome.build.slot) == (0, 1, 2)
    assert (last_build().state, last_build().events, last_build().differing) == ("swapped", 100, 0)


def test_live_delivery_goes_on_in_the_new_slot_exactly_from_its_checkpoint() -> None:
    write(range(50))
    live()

    build()
    write(range(50, 80))
    delivered = live()

    assert delivered == 30
    assert tally(2) == fresh_fold()
    assert sum(row[1] for row in tally(1)) == 50  # type: ignore[misc]


def test_a_second_rebuild_empties_the_slot_that_was_left_and_swaps_back() -> None:
    write(range(50))
    live()
    build()
    write(range(50, 60))
    live()

    build()

    assert live_slot(NAME) == 1
    assert tally(1) == tally(2) == fresh_fold()


def test_a_rebuild_with_another_fold_says_what_differs_and_swaps() -> None:
    write(range(1, 8))
    live()
    tallies.Bug.factor = 10

    outcome = build()

    tables = {one.table: (one.rows, one.changed, one.added, one.gone) for one in outcome.differences}
    assert tables == {"toy_tally": (7, 7, 0, 0), "toy_total": (7, 0, 0, 0)}
    assert outcome.differences[0].keys == tuple(str(row[0]) for row in tally(2)[:5])
    assert live_slot(NAME) == 2


def test_rows_gone_and_rows_new_are_told_apart() -> None:
    write(range(1, 8))
    live()
    first, second = (row[0] for row in tally(1)[:2])
    execute("DELETE FROM toy_tally WHERE slot = 1 AND stream = %s", [first])
    execute("INSERT INTO toy_tally (slot, stream, events, total) VALUES (1, %s, 1, 1)", [uuid7()])
    execute("UPDATE toy_tally SET who = 'somebody' WHERE slot = 1 AND stream = %s", [second])

    outcome = build(swap=False)

    found = outcome.differences[0]
    assert (found.gone, found.added, found.changed) == (1, 1, 1)


def test_i12_a_check_swaps_nothing_and_fails_when_the_view_is_not_what_the_log_says() -> None:
    write(range(20))
    live()
    call_command("rebuild_projection", NAME, "--check")
    execute("UPDATE toy_tally SET total = total + 1 WHERE slot = 1 AND stream = %s", [tally(1)[3][0]])

    with pytest.raises(CommandError, match="is not what the log says"):
        call_command("rebuild_projection", NAME, "--check")

    assert live_slot(NAME) == 1
    assert [b.state for b in ProjectionBuild.objects.order_by("id")] == ["compared", "compared"]
    assert last_build().differing == 1


def test_what_live_delivery_has_not_taken_in_yet_is_left_to_it() -> None:
    write(range(30))
    live()
    write(range(30, 40))

    build()
    delivered = live()

    assert last_build().events == 30
    assert delivered == 10
    assert tally(2) == fresh_fold()


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


def test_i12_a_rebuild_beside_live_traffic_loses_nothing_and_takes_nothing_twice() -> None:
    write(range(300))
    live()
    stop, errors = threading.Event(), []

    def append(seed: int) -> None:
        rng, own = random.Random(seed), [uuid7() for _ in range(5)]
        while not stop.is_set():
            with transaction.atomic():
                count(rng.choice(own), None, rng.randrange(100))
                time.sleep(rng.uniform(0, 0.005))
                transaction.set_rollback(rng.random() < 0.05)
        connection.close()

    def keep_delivering() -> None:
        try:
            while not stop.is_set():
                deliver(NAME, now=database_now, seconds=0.05)
        except Exception as error:  # noqa: BLE001 - shown by the test
            errors.append(error)
        connection.close()

    threads = [threading.Thread(target=append, args=(n,)) for n in range(3)]
    threads += [threading.Thread(target=keep_delivering) for _ in range(2)]
    for thread in threads:
        thread.start()
    outcomes = [build(batch=25) for _ in range(4)]
    stop.set()
    for thread in threads:
        thread.join()
    live()

    assert errors == []
    assert [o.differing for o in outcomes] == [0, 0, 0, 0]
    assert [o.build.slot for o in outcomes] == [2, 1, 2, 1]
    assert outcomes[3].build.events > outcomes[0].build.events > 300
    assert tally(live_slot(NAME)) == fresh_fold()


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
    assert "toy_tally: 14 rows, none differs" in done.stdout
    assert "Slot 2 is live now; slot 1 stays until the next build." in done.stdout
    assert (last_build().pk, last_build().state, last_build().events) == (halfway.pk, "swapped", 230)
    assert tally(1) == tally(2) == fresh_fold()


def test_a_name_that_is_no_projection_is_answered_with_those_there_are() -> None:
    with pytest.raises(CommandError, match=f"No projection sagas.nothing. There are: .*{NAME}"):
        call_command("rebuild_projection", "sagas.nothing")


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


def test_i12_the_audit_compares_read_models_when_asked() -> None:
    write(range(20))
    live()
    equal = [f for f in read_models(clock=database_now) if f.name == f"i12_{NAME}"]
    stream = tally(1)[3][0]
    execute("UPDATE toy_tally SET total = total + 1 WHERE slot = 1 AND stream = %s", [stream])

    differs = [f for f in read_models(clock=database_now) if f.name == f"i12_{NAME}"]

    assert [(f.breaches, f.skipped, f.examples) for f in equal] == [(0, "", [])]
    assert [(f.breaches, f.examples) for f in differs] == [(1, [f"toy_tally {stream}"])]


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


def test_a_rebuild_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "LINE_EVERY_SECONDS", 0)
    write(range(30))
    live()
    out = StringIO()

    with shown(out, NAME) as watch:
        build(batch=10, watch=watch)

    lines = out.getvalue().splitlines()
    assert lines[0] == "0 of about 30 events"
    assert re.fullmatch(r"10 of about 30 events, [\d,]+/s, \d+ m?s left", lines[1])
    assert lines[-1].startswith("30 of about 30 events, ")


def test_a_rebuild_shows_a_bar_on_a_terminal() -> None:
    write(range(30))
    live()
    out = Terminal()

    with shown(out, NAME) as watch:
        build(batch=10, watch=watch)
        watch(20, 30)

    assert re.search(rf"{NAME}.*20 of about 30 events", out.getvalue())


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True
