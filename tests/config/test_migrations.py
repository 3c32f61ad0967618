"""Every migration goes both ways: back to a database without our tables, and forth to the one the code expects."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from sagas.sql import rows

APPS = ("orders", "payments", "inventory", "shipping", "sagas")
#: All that can be told of a table, an index or a check without its rows.
SHAPE = """
SELECT c.relname, c.relkind::text, c.reloptions, i.indisvalid, pg_get_indexdef(i.indexrelid),
       (SELECT array_agg(a.attname::text || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull
                         ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
           AND NOT a.attisdropped),
       (SELECT array_agg(o.conname::text || ' ' || o.convalidated || ' ' || pg_get_constraintdef(o.oid)
                         ORDER BY o.conname) FROM pg_constraint o WHERE o.conrelid = c.oid)
  FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relname ~ '^(orders|payments|inventory|shipping|sagas)_'
   AND c.relkind IN ('r', 'i', 'p') ORDER BY 1
"""


@pytest.mark.django_db(transaction=True)
def test_all_migrations_go_both_ways() -> None:
    executor = MigrationExecutor(connection)
    latest = [node for node in executor.loader.graph.leaf_nodes() if node[0] in APPS]
    before = rows(SHAPE)
    try:
        executor.migrate([(app, None) for app in APPS])
        between = rows(SHAPE)
    finally:
        MigrationExecutor(connection).migrate(latest)

    assert between == []
    assert rows(SHAPE) == before
    assert len(before) > 100
