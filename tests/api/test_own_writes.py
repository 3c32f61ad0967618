"""A write says where in the feed it stands, and a read may ask not to be older."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.conf import settings as live
from django.db import connection, transaction

from orders.queries import PROJECTION
from sagas import log
from sagas.clock import database_now
from sagas.delivery import deliver
from sagas.ids import uuid7
from sagas.log import Token
from sagas.models import Checkpoint
from sagas.sql import execute
from tests.api.counter import ORDERS, Counter, problem
from tests.sagas.facts import NOW, Ignored

pytestmark = pytest.mark.django_db(transaction=True)

POSITION = "Waybill-Position"


@pytest.fixture(autouse=True)
def wait(settings: Any) -> Any:
    """Reads wait for a moment only."""

    def seconds(amount: float) -> None:
        settings.WAYBILL = replace(live.WAYBILL, read_wait_seconds=amount)

    seconds(0.3)
    return seconds


def take_in() -> int:
    """What the worker of the read side does."""
    return deliver(PROJECTION, now=database_now)


def take_in_from_a_thread() -> None:
    try:
        take_in()
    finally:
        connection.close()


def test_a_read_after_a_write_holds_what_was_written(counter: Counter) -> None:
    placed = counter.place(external_reference="W-1")
    take_in()

    for path in (ORDERS, placed["Location"], f"{ORDERS}/summary?since=2026-01-05&until=2026-01-05"):
        found = counter.get_now(path + ("&" if "?" in path else "?") + f"after={placed[POSITION]}")

        assert found.status_code == 200
        assert Token.parse(found[POSITION]) >= Token.parse(placed[POSITION])
    assert counter.get_now(placed["Location"]).json()["external_reference"] == "W-1"


def test_a_read_waits_until_the_read_side_has_come_so_far(counter: Counter, wait: Any) -> None:
    wait(20)
    placed = counter.place()
    timer = threading.Timer(0.2, take_in_from_a_thread)
    timer.start()

    found = counter.get_now(placed["Location"], {"after": placed[POSITION]})
    timer.join()

    assert found.status_code == 200


def test_a_read_side_that_stays_behind_is_said_to_be_after_the_wait(counter: Counter) -> None:
    placed = counter.place()
    began = time.monotonic()

    found = counter.get_now(placed["Location"], {"after": placed[POSITION]})

    assert problem(found) == (503, "api.read_side_behind")
    assert found["Retry-After"] == "1"
    assert 0.3 <= time.monotonic() - began < 2
    assert counter.get_now(placed["Location"]).status_code == 404


def test_a_cancellation_is_seen_too_and_a_repeat_gives_the_same_place(counter: Counter) -> None:
    where = counter.place(external_reference="W-1")["Location"]

    first, again = (counter.post(f"{where}/cancel", {"reason": "x"}, key="K") for _ in range(2))
    take_in()

    assert again["Idempotency-Replayed"] == "true"
    assert first[POSITION] == again[POSITION]
    seen = counter.get_now(where, {"after": again[POSITION]}).json()
    assert (seen["state"], seen["version"]) == ("cancelled", 3)


def test_what_has_left_no_event_has_no_place(counter: Counter) -> None:
    where = counter.place()["Location"]
    counter.post(f"{where}/cancel")

    assert not counter.post(f"{where}/cancel").has_header(POSITION)


def test_a_token_of_something_else_is_reached_once_nothing_before_it_is_missing(counter: Counter) -> None:
    placed = counter.place()
    with transaction.atomic():
        log.append([log.Append(uuid7(), 1, Ignored(number=1))], now=NOW, metadata={})
        later = log.last_published()

    behind = counter.get_now(ORDERS, {"after": str(later)})
    take_in()
    found = counter.get_now(ORDERS, {"after": str(later)})

    assert problem(behind) == (503, "api.read_side_behind")
    assert found.status_code == 200
    assert found[POSITION] == str(later)
    assert Checkpoint.objects.get(subscription=PROJECTION).position == Token.parse(placed[POSITION]).position


@pytest.mark.parametrize("token", ["x", "1.2", "1.2.3.4", "-1.2.3", "1.2.x", f"1.2.{2**70}", " "])
def test_what_is_not_a_token_is_refused(counter: Counter, token: str) -> None:
    for path in (ORDERS, f"{ORDERS}/{uuid7()}"):
        assert problem(counter.get_now(path, {"after": token})) == (400, "api.bad_token")


@pytest.mark.parametrize("token", ["9.1.1", f"1.{2**62}.1"])
def test_a_token_that_nobody_was_given_is_not_waited_for(counter: Counter, wait: Any, token: str) -> None:
    wait(30)
    counter.place()
    take_in()
    began = time.monotonic()

    assert problem(counter.get_now(ORDERS, {"after": token})) == (503, "api.read_side_behind")
    assert time.monotonic() - began < 10


def test_a_stopped_read_side_is_not_waited_for(counter: Counter, wait: Any) -> None:
    wait(30)
    first = counter.place()
    take_in()
    placed = counter.place()
    execute(
        "UPDATE sagas_checkpoint SET state = 'stopped', error = 'x' WHERE subscription = %s", [PROJECTION]
    )

    assert problem(counter.get_now(ORDERS, {"after": placed[POSITION]})) == (503, "api.read_side_behind")
    assert counter.get_now(ORDERS, {"after": first[POSITION]}).status_code == 200


def test_a_read_says_what_it_is_as_of(counter: Counter) -> None:
    before = counter.get_now(ORDERS)
    placed = counter.place()
    take_in()

    after = counter.get_now(ORDERS)

    assert before[POSITION] == "0.0.0"
    assert after[POSITION] == placed[POSITION]
    assert counter.get_now(placed["Location"])[POSITION] == placed[POSITION]


def test_a_wait_polls_with_few_small_queries_and_no_transaction(
    counter: Counter, wait: Any, django_assert_max_num_queries: Any
) -> None:
    placed = counter.place()
    wait(1.0)

    with django_assert_max_num_queries(30) as queries:
        counter.get_now(ORDERS, {"after": placed[POSITION]})

    assert [q["sql"] for q in queries.captured_queries if "BEGIN" in q["sql"]] == []


def test_a_token_that_is_not_settled_is_not_reached_though_nothing_lies_before_it(counter: Counter) -> None:
    older = psycopg.connect(
        os.environ["DATABASE_URL"].replace("/waybill?", f"/{connection.settings_dict['NAME']}?")
    )
    older.execute("SELECT pg_current_xact_id()")  # it may still write an event before the token
    with transaction.atomic():
        log.append([log.Append(uuid7(), 1, Ignored(number=1))], now=NOW, metadata={})
        token = log.last_published()

    while_open = counter.get_now(ORDERS, {"after": str(token)})
    older.close()

    assert problem(while_open) == (503, "api.read_side_behind")
    assert counter.get_now(ORDERS, {"after": str(token)}).status_code == 200
