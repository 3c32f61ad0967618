"""The log: versions, reading back, the append-only rule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, transaction

from sagas import log
from sagas.ids import uuid7
from sagas.log import Append, Token, publish, read, read_many
from sagas.sql import execute, rows
from sagas.verdicts import ConcurrencyConflict
from tests.sagas.facts import NOW, Counted, Ignored, count

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_stream_is_read_back_in_version_order_with_its_types() -> None:
    stream, who, when = uuid7(), uuid7(), datetime(2026, 2, 3, tzinfo=UTC)

    publish(
        [
            Append(stream, 2, Counted(number=2)),
            Append(stream, 1, Counted(number=1, who=who, when=when)),
            Append(stream, 3, Ignored(number=3)),
        ],
        now=NOW,
        actor="ann",
        reason="stocktake",
        correlation_id="c-1",
    )

    found = read(stream)
    assert [e.version for e in found] == [1, 2, 3]
    assert found[0].event == Counted(number=1, who=who, when=when)
    assert isinstance(found[2].event, Ignored)
    assert found[0].metadata == {"actor": "ann", "reason": "stocktake", "correlation_id": "c-1"}
    assert read(stream, after=2) == found[2:]


def test_a_version_that_exists_already_is_a_conflict() -> None:
    stream = uuid7()
    count(stream, 1)

    with pytest.raises(ConcurrencyConflict), transaction.atomic():
        count(stream, 1)

    assert len(read(stream)) == 1


def test_versions_are_looked_up_when_nobody_knows_them() -> None:
    stream, other = uuid7(), uuid7()
    count(stream, 1)

    publish([Append(s, None, Counted(number=n)) for n, s in enumerate([stream, other, stream])], now=NOW)

    streams = read_many([stream, other])
    assert [e.version for e in streams[stream]] == [1, 2, 3]
    assert [e.version for e in streams[other]] == [1]


def test_the_log_cannot_be_changed_or_cut() -> None:
    count(uuid7(), 1)

    for statement in ("UPDATE sagas_event SET type = 'x'", "DELETE FROM sagas_event"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            execute(statement)

    assert rows("SELECT count(*) FROM sagas_event") == [(1,)]


def test_what_is_rolled_back_was_never_published() -> None:
    stream = uuid7()

    with transaction.atomic():
        count(stream, 1)
        transaction.set_rollback(True)

    assert read(stream) == []


def test_tokens_compare_as_the_triple_they_are_and_survive_text() -> None:
    early, late = Token(1, 9, 100), Token(1, 10, 2)

    assert early < late < Token(2, 1, 1)
    assert Token.parse(str(late)) == late


@pytest.mark.parametrize(
    "text",
    ["no token", "", "1.2", "1.2.3.4", "1.2.-3", " 1.2.3", "1.2.3\n", "1_0.2.3", "١.2.3", f"1.2.{2**63}"],
)
def test_what_is_not_a_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="token"):
        Token.parse(text)


def test_the_last_event_of_a_transaction_is_known_until_its_savepoint_is_taken_back() -> None:
    stream = uuid7()
    with transaction.atomic():
        before = log.last_published()
        count(stream, 1)
        first = log.last_published()
        with transaction.atomic():
            count(stream, 2)
            transaction.set_rollback(True)
        still = log.last_published()
        with transaction.atomic():
            count(stream, 2)
        second = log.last_published()

    assert before is None
    assert first == still == read(stream)[0].token
    assert second == read(stream)[1].token
    assert log.last_published() is None


def test_stretches_of_many_streams_are_read_in_one_statement(django_assert_num_queries: object) -> None:
    one, other, third = sorted(uuid7() for _ in range(3))
    for stream in (one, other, third):
        for version in range(1, 6):
            count(stream, version)

    with django_assert_num_queries(1):  # type: ignore[operator]
        found = log.read_ranges({one: (0, 2), other: (3, 5)})

    assert {s: [e.version for e in events] for s, events in found.items()} == {one: [1, 2], other: [4, 5]}


def test_a_batch_of_events_costs_one_statement(django_assert_num_queries: object) -> None:
    appends = [Append(uuid7(), 1, Counted(number=n)) for n in range(500)]

    with django_assert_num_queries(1):  # type: ignore[operator]
        log.append(appends, now=NOW, metadata={})
