"""Growth: two sizes are compared fairly, a made-up history is like a lived one, and tables tell how they stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection as django_connection

from benchmarks.growth import report, rows
from benchmarks.growth.figures import Compared, slope
from benchmarks.growth.history import History, NoRoom, without_indexes
from sagas import feed
from sagas.engine import store
from sagas.log import Token, read
from sagas.models import Saga, SagaStep
from sagas.sql import rows as found

Plain = psycopg.Connection[Any]

MADE = """
CREATE TABLE kept (id int PRIMARY KEY, name text UNIQUE) WITH (fillfactor = 50);
CREATE INDEX kept_few ON kept (name) WHERE id < 3;
CREATE TABLE leaning (kept_id int NOT NULL REFERENCES kept, place int, PRIMARY KEY (kept_id, place));
"""
KEYS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE conrelid = ANY(%s::regclass[]) ORDER BY 1, 2
"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) ORDER BY 1"


@pytest.mark.parametrize(
    ("one", "growth", "within"),
    [
        (Compared("it", "ms", 2.0, 2.2), 1.1, True),
        (Compared("it", "ms", 2.0, 2.4), 1.2, False),
        (Compared("it", "ms", 2.0, 1.0), 0.5, True),
        (Compared("it", "ms", 0.1, 0.25, floor=0.2), 1.0, True),
        (Compared("it", "orders/s", 3_000.0, 2_000.0, more_is_better=True), 1.5, False),
        (Compared("it", "orders/s", 2_000.0, 3_000.0, more_is_better=True), 2 / 3, True),
    ],
)
def test_growth_is_how_much_worse_the_larger_one_is(one: Compared, growth: float, within: bool) -> None:
    assert one.growth == pytest.approx(growth)
    assert one.within is within


def test_a_slope_is_how_much_the_second_rises_with_the_first() -> None:
    assert slope([(0, 5), (1, 7), (2, 9)]) == pytest.approx(2)
    assert slope([(0, 5), (1, 5)]) == 0
    assert slope([(3, 5), (3, 9)]) == 0
    assert slope([(3, 5)]) == 0


def test_a_figure_that_grows_too_much_says_no_in_the_report() -> None:
    both = [Compared("claim", "ms", 1.0, 1.05), Compared("intake", "ms", 1.0, 2.0)]

    lines = list(report.sizes(both, 10_000, 10_000_000))

    assert lines[0] == "| | 10,000 finished | 10,000,000 finished | factor | within 10% |"
    assert lines[2:4] == [
        "| claim, ms | 1.00 | 1.05 | 1.05 | yes |",
        "| intake, ms | 1.00 | 2.00 | 2.00 | **no** |",
    ]


def test_a_history_that_does_not_fit_on_the_disk_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(
        NoRoom, match=r"1,000,000,000,000 orders take about [0-9]+ GiB and [0-9]+ GiB are free\."
    ):
        History(10**12).insist_on_room(tmp_path)

    History(1).insist_on_room(tmp_path)


@pytest.fixture
def plain(transactional_db: None) -> Iterator[Plain]:
    """A connection of its own to the database of the tests, in autocommit."""
    settings = django_connection.get_connection_params()
    with psycopg.connect(
        host=settings["host"], user=settings["user"], dbname=settings["dbname"], autocommit=True
    ) as connection:
        yield connection
        connection.execute("DROP TABLE IF EXISTS leaning, kept")


def test_indexes_and_keys_are_off_in_the_block_and_back_as_they_were_after_it(plain: Plain) -> None:
    plain.execute(MADE)
    names = ["kept", "leaning"]
    before = [plain.execute(query, [names]).fetchall() for query in (KEYS, INDEXES)]

    with plain.transaction(), without_indexes(plain, ["kept"]):
        plain.execute("INSERT INTO kept VALUES (1, 'one')")
        within = plain.execute(INDEXES, [["kept"]]).fetchall()

    assert within == []
    assert [plain.execute(query, [names]).fetchall() for query in (KEYS, INDEXES)] == before
    assert len(before[1]) == 4


def test_a_block_that_fails_leaves_every_index_where_it_was(plain: Plain) -> None:
    plain.execute(MADE)
    before = plain.execute(INDEXES, [["kept"]]).fetchall()

    with pytest.raises(RuntimeError), plain.transaction(), without_indexes(plain, ["kept"]):
        raise RuntimeError

    assert plain.execute(INDEXES, [["kept"]]).fetchall() == before


def test_a_made_history_is_like_a_lived_one(plain: Plain) -> None:
    names = ["sagas_saga", "sagas_step", "sagas_event"]
    before = plain.execute(INDEXES, [names]).fetchall()

    History(30, shop=False, steps=2, events=3).write(plain)

    sagas = list(Saga.objects.order_by("id"))
    assert [saga.reference for saga in sagas] == [f"old-{n}" for n in range(1, 31)]
    assert sorted(sagas, key=lambda saga: saga.started_at) == sagas
    assert {saga.state for saga in sagas} == {Saga.State.COMPLETED}
    assert {saga.id.version for saga in sagas} == {7}
    assert SagaStep.objects.filter(saga=sagas[0]).count() == 2
    assert [event_type for (event_type,) in found(
        "SELECT type FROM sagas_event WHERE stream = %s ORDER BY version", [sagas[0].subject_id]
    )] == ["shop.Sold", "shop.Authorized", "shop.Reserved"]  # fmt: skip
    assert plain.execute(INDEXES, [names]).fetchall() == before


def test_nothing_of_a_made_history_is_due_and_all_of_it_is_settled(plain: Plain) -> None:
    History(10, shop=False).write(plain)

    assert SagaStep.objects.filter(finished_at__isnull=True).count() == 0
    assert found(store.CLAIM_ANY, {"name": "shop.authorize", "provider": "", "limit": 10}) == []
    assert not feed.pending(feed.end(), ["shop.Sold"])
    assert feed.pending(Token(0, 0, 0), ["shop.Sold"])
    assert read(Saga.objects.order_by("id")[0].id) == []


def test_tables_tell_how_many_updates_touched_no_index(plain: Plain) -> None:
    plain.execute(MADE)
    rows.begin(plain)
    plain.execute("INSERT INTO kept SELECT n, 'name ' || n FROM generate_series(1, 100) n")
    plain.execute("ALTER TABLE kept ADD COLUMN note text")
    plain.execute("UPDATE kept SET note = 'no index knows it' WHERE id <= 10")
    plain.execute("UPDATE kept SET name = name || '!' WHERE id <= 5")

    (kept,) = (one for one in rows.read(plain) if one.name == "kept")

    assert (kept.rows, kept.updates, kept.hot) == (100, 15, 10)
    assert kept.hot_share == pytest.approx(2 / 3)
    assert kept.heap_bloat is None


def test_a_table_written_anew_tells_how_large_it_need_be(plain: Plain) -> None:
    plain.execute(MADE)
    rows.begin(plain)
    plain.execute("INSERT INTO kept SELECT n, repeat('x', 100) || n FROM generate_series(1, 2000) n")
    plain.execute("DELETE FROM kept WHERE id > 1000")

    (kept,) = rows.rebuild(plain, [one for one in rows.read(plain) if one.name == "kept"])

    assert kept.rows == 1_000
    assert kept.heap_bloat is not None
    assert kept.heap_bloat > 0.5


def test_other_storage_settings_can_be_tried(plain: Plain) -> None:
    plain.execute(MADE)

    rows.store(plain, {"kept": "fillfactor = 90, autovacuum_vacuum_scale_factor = 0.1"})

    assert plain.execute("SELECT reloptions FROM pg_class WHERE relname = 'kept'").fetchone() == (
        ["fillfactor=90", "autovacuum_vacuum_scale_factor=0.1"],
    )


@pytest.mark.django_db
def test_rows_that_whole_batches_update_have_half_a_page_free() -> None:
    options = dict(
        found("SELECT relname, array_to_string(reloptions, ' ') FROM pg_class WHERE relkind = 'r'")
    )

    half = {name for name, given in options.items() if given and "fillfactor=50" in given.split()}

    assert half >= {
        "sagas_saga", "sagas_checkpoint", "orders_order", "orders_orderview_1", "orders_orderview_2",
        "shipping_shipment", "inventory_stock",
    }  # fmt: skip
    assert "fillfactor" not in options["inventory_reservation"]
