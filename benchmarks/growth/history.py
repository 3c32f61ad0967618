"""Finished orders and their sagas of any number, made by SQL in one transaction: a shop that has been open for long.

Ids are UUIDv7 in the order of time, as Waybill makes them; the newest order is an hour old. Tables are emptied first
and filled without indexes, which are built at the end: with `wal_level = minimal` nothing of it goes through the log.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg import sql

SHOP_TABLES = ("shop_order", "shop_line", "shop_payment", "shop_reservation", "shop_shipment")
SAGA_TABLES = ("sagas_saga", "sagas_step", "sagas_event")

STEPS = ("shop.authorize", "shop.reserve", "shop.book", "shop.confirm")
EVENTS = ("shop.Sold", "shop.Authorized", "shop.Reserved", "shop.Booked", "shop.Confirmed")

#: Between two old orders.
GAP_MS = 20
#: What an order, and a row of the platform's, take with their indexes; somewhat more than was seen.
ORDER_BYTES, ROW_BYTES = 1_500, 700


#: An id of one kind and number, made at a moment: always the same one.
UUID7 = """
CREATE FUNCTION pg_temp.uuid7_of(what text, ms bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT overlay(overlay(md5(what) PLACING lpad(to_hex(ms), 12, '0') || '7' FROM 1 FOR 13) PLACING '8' FROM 17)::uuid
$$
"""
OLD = """
CREATE TEMPORARY TABLE old ON COMMIT DROP AS
SELECT n, ms, to_timestamp(ms / 1000.0) AS ended, pg_temp.uuid7_of('order' || n, ms) AS order_id,
       pg_temp.uuid7_of('saga' || n, ms) AS saga_id
  FROM (SELECT n, (extract(epoch FROM now() - interval '1 hour') * 1000)::bigint - (%(orders)s - n) * %(gap)s AS ms
          FROM generate_series(1, %(orders)s) n) numbers
"""

SHOP = (
    "INSERT INTO shop_order SELECT order_id, 'old-' || n, 'confirmed', 3000, false, ended, ended FROM old",
    """
INSERT INTO shop_line
SELECT order_id, p, 'SKU-' || lpad(((n * 7 + p * 31) % (SELECT count(*) FROM shop_stock))::text, 4, '0'), 1, 1000
  FROM old, generate_series(1, 3) p""",
    "INSERT INTO shop_payment SELECT order_id, 3000, 'authorized' FROM old",
    "INSERT INTO shop_reservation SELECT order_id, 'held' FROM old",
    "INSERT INTO shop_shipment SELECT order_id, 'booked' FROM old",
    """
UPDATE shop_stock s SET held = coalesce(l.held, 0)
  FROM shop_stock k LEFT JOIN (SELECT sku, sum(quantity) AS held FROM shop_line GROUP BY sku) l USING (sku)
 WHERE k.sku = s.sku""",
)

SAGA = """
INSERT INTO sagas_saga (id, definition, version, shop_id, subject_id, reference, search_key, label, amount_minor,
       currency, context, correlation_id, state, hold, hold_reason, hold_owner, stage, epoch, cause, cause_code,
       cause_step, started_at, moved_at, finished_at, style)
SELECT saga_id, 'shop.sell', 1, '0190a5a0-0000-7000-8000-000000000001', order_id, 'old-' || n, 'old-' || n,
       'Order old-' || n, 3000, 'EUR', '{}', '', 'completed', 'none', '', '', 4, 0, '', '', '', ended, ended, ended,
       'orchestration'
  FROM old
"""
STEP = """
INSERT INTO sagas_step (id, saga_id, position, direction, name, state, epoch, attempt, tries, intent_number, key,
       verdict, code, detail, memo, result, history, worker, began_at, finished_at)
SELECT pg_temp.uuid7_of('step' || k || '/' || n, ms), saga_id, k - 1, 'do', name, 'done', 0, 1, 0, 1,
       md5(k || '/' || n)::uuid, 'done', '', '', '{}', '{}',
       jsonb_build_array(jsonb_build_array(ended, 1, 'done', '', '')), '', ended, ended
  FROM old, unnest(%(steps)s::text[]) WITH ORDINALITY AS s (name, k)
"""
EVENT = """
INSERT INTO sagas_event (stream, version, type, schema_version, data, metadata, at, era, xid)
SELECT order_id, k, type, 1, jsonb_build_object('order_id', order_id), '{"actor": "system"}', ended,
       (SELECT max(era) FROM sagas_era), pg_current_xact_id()::text::bigint
  FROM old, unnest(%(events)s::text[]) WITH ORDINALITY AS e (type, k)
"""

# The foreign keys first, since they lean on the keys; then constraints with an index; then plain indexes.
FOREIGN = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE contype = 'f' AND (conrelid = ANY(%(of)s::regclass[]) OR confrelid = ANY(%(of)s::regclass[]))
"""
KEYS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE contype IN ('p', 'u') AND conrelid = ANY(%(of)s::regclass[])
"""
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
 WHERE indrelid = ANY(%(of)s::regclass[])
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u'))
"""


class NoRoom(Exception):
    """The disk is too small for so much history. The message says how much it takes."""


@dataclass(frozen=True)
class History:
    """So many finished orders. Without `shop` the platform's rows alone, of each saga the first so many."""

    orders: int
    shop: bool = True
    steps: int = len(STEPS)
    events: int = len(EVENTS)

    @property
    def tables(self) -> tuple[str, ...]:
        """All that are filled."""
        return (*SHOP_TABLES, *SAGA_TABLES) if self.shop else SAGA_TABLES

    @property
    def bytes(self) -> int:
        """About so much of the disk, with what sorting the indexes takes meanwhile."""
        return self.orders * (ORDER_BYTES * self.shop + ROW_BYTES * (1 + self.steps + self.events))

    def insist_on_room(self, folder: Path) -> None:
        """Raises NoRoom."""
        free = shutil.disk_usage(folder).free
        if free < self.bytes:
            raise NoRoom(
                f"{self.orders:,} orders take about {self.bytes >> 30} GiB and {free >> 30} GiB are free."
            )

    def write(self, connection: psycopg.Connection[Any]) -> None:
        """Replace whatever is in the tables by this history."""
        with connection.transaction(), without_indexes(connection, self.tables):
            connection.execute(sql.SQL("TRUNCATE {}").format(_names(self.tables)))
            connection.execute(UUID7)
            connection.execute(OLD, {"orders": self.orders, "gap": GAP_MS})
            for statement in SHOP if self.shop else ():
                connection.execute(statement)
            connection.execute(SAGA)
            connection.execute(STEP, {"steps": list(STEPS[: self.steps])})
            connection.execute(EVENT, {"events": list(EVENTS[: self.events])})


@contextmanager
def without_indexes(connection: psycopg.Connection[Any], tables: Sequence[str]) -> Iterator[None]:
    """Take every index and key off these tables, and put them back at the end of the block as they were."""
    of = {"of": list(tables)}
    foreign, keys = _all(connection, FOREIGN, of), _all(connection, KEYS, of)
    indexes = _all(connection, INDEXES, of)
    for table, name, _ in (*foreign, *keys):
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    yield
    connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
    for _, made in indexes:
        connection.execute(made)
    for table, name, made in (*keys, *foreign):
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {made}")


def _all(connection: psycopg.Connection[Any], query: str, values: dict[str, Any]) -> list[tuple[str, ...]]:
    return cast("list[tuple[str, ...]]", connection.execute(query, values).fetchall())


def _names(tables: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, tables))
