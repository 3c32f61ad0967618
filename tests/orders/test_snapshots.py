"""Snapshots shorten replays and change nothing: the same order at every version, whatever is believed of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from orders import history, repository, snapshots
from orders.aggregate import BrokenStream
from orders.aggregate import Order as Aggregate
from orders.models import Order, OrderSnapshot
from sagas import log
from sagas.ids import uuid7
from sagas.log import Recorded
from sagas.sql import execute
from tests.orders.factories import NOW

pytestmark = pytest.mark.django_db

Place = Callable[..., Order]


@pytest.fixture
def every_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "EVERY", 5)


@pytest.fixture
def long(every_five: None, confirmed: Place) -> Order:
    """An order of 17 events: flags raised and lowered, and a part of it cancelled in between."""
    order = confirmed()
    for number in range(6):
        flag(order, number)
    cancel_one(order)
    for number in range(6, 12):
        flag(order, number)
    order.refresh_from_db()
    return order


def flag(order: Order, number: int) -> None:
    """One event more."""
    now = NOW + timedelta(minutes=number)
    loaded = repository.load([order.pk])[order.pk]
    if loaded.needs_attention:
        loaded.clear_attention(now=now)
    else:
        loaded.need_attention(f"reason {number}", on_hold=number % 2 == 0, owner="ada", now=now)
    repository.save([loaded], now=now)


def cancel_one(order: Order) -> None:
    """Two events in one commit, over lines."""
    saga, now = uuid7(), NOW + timedelta(hours=1)
    loaded = repository.load([order.pk], with_lines=True)[order.pk]
    loaded.request_cancellation(saga, reason="broken", whole=False, now=now)
    sku = loaded.lines[1].sku
    loaded.cancel_lines(saga, [{"sku": sku, "quantity": 1}], amount_minor=500, now=now)
    repository.save([loaded], now=now)


def versions(order: Order) -> list[int]:
    found = OrderSnapshot.objects.filter(order_id=order.pk).order_by("version")
    return list(found.values_list("version", flat=True))


def events_read(act: Callable[[], object]) -> Iterator[int]:
    """How many events each read of the log brought."""
    real = log.recorded_all
    counted: list[Recorded] = []

    def count(rows: Any) -> list[Recorded]:
        found = real(rows)
        counted.extend(found)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "recorded_all", count)
        act()
    yield len(counted)


def test_a_long_stream_leaves_a_snapshot_as_it_passes_a_multiple_and_a_short_one_none(
    long: Order, confirmed: Place
) -> None:
    short = confirmed()

    assert (long.version, versions(long)) == (17, [5, 11, 15])
    assert (short.version, versions(short)) == (3, [])


def test_with_and_without_snapshots_an_order_is_the_same_at_every_version(long: Order) -> None:
    whole = log.read(long.pk)

    for version in range(1, long.version + 1):
        plain = Aggregate.from_events(whole[:version])
        quick = history.rebuild(long.pk, upto=version)
        assert quick is not None
        assert (quick.snapshot(), quick.lines) == (plain.snapshot(), plain.lines), version
    assert history.rebuild(long.pk).snapshot() == Order.objects.values(*plain.snapshot()).get(pk=long.pk)  # type: ignore[union-attr]


def test_a_commit_that_passes_a_multiple_keeps_what_it_ends_with(every_five: None, confirmed: Place) -> None:
    order = confirmed()
    flag(order, 1)
    cancel_one(order)

    assert versions(order) == [6]
    kept = snapshots.newest(order.pk, upto=6)
    assert kept is not None
    assert (kept.order.version, kept.order.cancelled_minor, kept.order.lines[1].cancelled) == (6, 500, 1)
    assert kept.at == NOW + timedelta(hours=1)


def test_a_replay_reads_less_than_one_interval_of_a_long_stream(long: Order) -> None:
    (read,) = events_read(lambda: history.rebuild(long.pk))
    (of_the_past,) = events_read(lambda: history.rebuild(long.pk, upto=14))
    (shown,) = events_read(lambda: history.at_version(long.pk, 14))

    assert (read, of_the_past, shown) == (2, 3, 4)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE orders_snapshot SET shape = 'another'",
        "UPDATE orders_snapshot SET data = '{}'",
        'UPDATE orders_snapshot SET data = data || \'{"state": "dreaming"}\'',
        'UPDATE orders_snapshot SET data = data || \'{"colour": "red"}\'',
        "UPDATE orders_snapshot SET data = data - 'id'",
        "DELETE FROM orders_snapshot",
    ],
)
def test_a_snapshot_that_this_code_cannot_use_is_passed_over(long: Order, damage: str) -> None:
    execute(damage)

    found = history.rebuild(long.pk)
    (read,) = events_read(lambda: history.rebuild(long.pk))

    assert found is not None
    assert (found.version, read) == (17, 17)


def test_a_snapshot_that_can_be_used_is_used(long: Order) -> None:
    execute('UPDATE orders_snapshot SET data = data || \'{"country": "XX"}\' WHERE version = 15')

    found, before = history.rebuild(long.pk), history.rebuild(long.pk, upto=14)

    assert found is not None
    assert before is not None
    assert (found.country, before.country) == ("XX", "DE")


def test_the_shape_changes_with_the_fields_and_the_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshots.shape()

    monkeypatch.setattr(snapshots, "MEANING", snapshots.MEANING + 1)
    by_meaning = snapshots.shape()
    monkeypatch.undo()
    monkeypatch.setattr(snapshots, "Line", Aggregate)
    by_fields = snapshots.shape()

    assert len({before, by_meaning, by_fields}) == 3
    assert len(before) == 16


def test_an_order_of_usual_length_pays_nothing(confirmed: Place) -> None:
    order = confirmed()
    flag(order, 1)

    with CaptureQueriesContext(
        connection,
    ) as asked:
        flag(order, 2)

    assert [q["sql"] for q in asked if "orders_snapshot" in q["sql"] or "orderline" in q["sql"]] == []
    assert len([q for q in asked if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))]) == 3


def test_a_snapshot_is_one_statement_for_many_orders(every_five: None, confirmed: Place) -> None:
    orders = [confirmed() for _ in range(3)]
    for order in orders:
        flag(order, 0)
    loaded = repository.load([order.pk for order in orders])
    for one in loaded.values():
        one.clear_attention(now=NOW)

    with CaptureQueriesContext(connection) as asked:
        repository.save(loaded.values(), now=NOW)

    assert len([q for q in asked if "INSERT INTO orders_snapshot" in q["sql"]]) == 1
    assert [versions(order) for order in orders] == [[5]] * 3


def test_a_snapshot_goes_with_the_commit_of_its_events(every_five: None, confirmed: Place) -> None:
    order = confirmed()
    flag(order, 1)

    with transaction.atomic():
        flag(order, 2)
        within = versions(order)
        transaction.set_rollback(True)

    assert (within, versions(order)) == ([5], [])


def test_a_gap_a_repeat_and_a_foreign_event_are_errors_that_name_stream_and_version(long: Order) -> None:
    events, other = log.read(long.pk), uuid7()
    foreign = Recorded(events[2].token, other, 3, events[2].type, events[2].event, {}, events[2].at)

    for stream, told in (
        ([*events[:2], *events[3:]], f"Stream {long.pk}: version 4 where 3 of {long.pk} was due."),
        ([*events[:3], events[2]], f"Stream {long.pk}: version 3 where 4 of {long.pk} was due."),
        ([*events[:2], foreign], f"Stream {other}: version 3 where 3 of {long.pk} was due."),
        (events[1:], f"Stream {long.pk}: an order's stream begins with OrderPlaced."),
        ([], "There is no such order."),
    ):
        with pytest.raises(BrokenStream) as error:
            Aggregate.from_events(stream)
        assert str(error.value) == told


def test_events_that_do_not_follow_a_snapshot_are_an_error(long: Order) -> None:
    kept = snapshots.newest(long.pk, upto=11)
    assert kept is not None

    with pytest.raises(BrokenStream, match=r"version 13 where 12"):
        Aggregate.from_events(log.read(long.pk, 12), base=kept.order)


def test_a_log_that_lost_an_event_is_not_papered_over_by_a_snapshot_before_it(long: Order) -> None:
    execute("SET LOCAL session_replication_role = replica")
    execute("DELETE FROM sagas_event WHERE stream = %s AND version = 16", [long.pk])

    with pytest.raises(BrokenStream, match=r"version 17 where 16"):
        history.rebuild(long.pk)
