"""Rebuilding a projection: beside live traffic, compared, swapped, shown."""

from __future__ import annotations

import random
import re
import threading
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from config.audit.read_models import read_models
from sagas import delivery
from sagas.clock import database_now
from sagas.delivery import deliver
from sagas.ids import uuid7
from sagas.projections import live_slot
from sagas.rebuild import display, run
from sagas.rebuild.compare import Difference, compare
from sagas.rebuild.display import shown
from sagas.rebuild.rows import ProjectionBuild
from sagas.sql import execute
from tests.sagas import tallies
from tests.sagas.facts import count, listening
from tests.sagas.tallies import NAME, build, fresh_fold, last_build, live, tally, write

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tallied")]


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


def test_while_slots_are_compared_this_projection_stands_still_and_all_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    delivered: dict[str, int] = {}

    def others() -> None:
        count(uuid7(), 1, 77)
        delivered["others"] = deliver("sagas.t_others", now=database_now)
        delivered["mine"] = live()
        connection.close()

    def compare_slowly(*slots: Any) -> list[Difference]:
        found = compare(*slots)
        other = threading.Thread(target=others)
        other.start()
        other.join()
        return found

    write(range(20))
    live()
    monkeypatch.setattr(run, "compare", compare_slowly)

    with listening("sagas.t_others", lambda e: seen.extend(one.event.number for one in e)):  # type: ignore[attr-defined]
        outcome = build()

    assert delivered == {"others": 21, "mine": 0}
    assert seen[-1] == 77
    assert (outcome.build.events, outcome.differing) == (20, 0)
    assert live() == 1
    assert tally(2) == fresh_fold()


def test_a_checkpoint_that_moves_all_the_same_is_noticed_before_the_swap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker of older code knows nothing of standing still."""
    times = 0

    def compare_slowly(*slots: Any) -> list[Difference]:
        nonlocal times
        times += 1
        found = compare(*slots)
        if times < 3:
            other = threading.Thread(target=older_code)
            other.start()
            other.join()
        return found

    def older_code() -> None:
        write(range(5))
        with pytest.MonkeyPatch.context() as older:
            older.setattr(
                delivery, "LOCK", delivery.LOCK.replace("pg_try_advisory_xact_lock_shared", "0 < abs")
            )
            live()
        connection.close()

    write(range(20))
    live()
    monkeypatch.setattr(run, "compare", compare_slowly)

    outcome = build()

    assert times == 3
    assert (outcome.build.events, outcome.differing) == (30, 0)
    assert tally(1) == tally(2) == fresh_fold()


def test_a_name_that_is_no_projection_is_answered_with_those_there_are() -> None:
    with pytest.raises(CommandError, match=f"No projection sagas.nothing. There are: .*{NAME}"):
        call_command("rebuild_projection", "sagas.nothing")


def test_i12_the_audit_compares_read_models_when_asked() -> None:
    write(range(20))
    live()
    equal = [f for f in read_models(clock=database_now) if f.name == f"i12_{NAME}"]
    stream = tally(1)[3][0]
    execute("UPDATE toy_tally SET total = total + 1 WHERE slot = 1 AND stream = %s", [stream])

    differs = [f for f in read_models(clock=database_now) if f.name == f"i12_{NAME}"]

    assert [(f.breaches, f.skipped, f.examples) for f in equal] == [(0, "", [])]
    assert [(f.breaches, f.examples) for f in differs] == [(1, [f"toy_tally {stream}"])]


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
