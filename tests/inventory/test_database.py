"""What the database does for inventory: updates that stay on their page, and migrations that go both ways."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from sagas.sql import rows
from tests.inventory.warehouse import Warehouse

HOT = """
SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'inventory_stock'
"""
APPS = ("inventory", "shipping")


@pytest.mark.django_db(transaction=True)
def test_every_update_of_a_stock_row_is_hot(warehouse: Warehouse) -> None:
    skus = dict.fromkeys((f"SKU{n}" for n in range(50)), 1)
    with transaction.atomic():
        warehouse.receive(**dict.fromkeys(skus, 100))
    before = flushed()

    for n in range(20):
        with transaction.atomic():
            warehouse.reserve(f"order {n}", **skus)
            warehouse.allocate(f"order {n}")

    updated, hot = (now - then for now, then in zip(flushed(), before, strict=True))
    assert updated == 20 * 2 * len(skus)
    assert hot / updated > 0.95


@pytest.mark.django_db(transaction=True)
def test_the_migrations_of_inventory_and_shipping_go_both_ways() -> None:
    executor = MigrationExecutor(connection)
    latest = [node for node in executor.loader.graph.leaf_nodes() if node[0] in APPS]
    try:
        executor.migrate([(app, None) for app in APPS])
        gone = rows(
            "SELECT count(*) FROM pg_class WHERE relname ~ '^(inventory|shipping)_' AND relkind = 'r'"
        )
    finally:
        MigrationExecutor(connection).migrate(latest)

    assert gone == [(0,)]
    assert rows("SELECT reloptions FROM pg_class WHERE relname = 'inventory_stock'") == [(["fillfactor=50"],)]


def flushed() -> tuple[int, int]:
    """Updates and HOT updates of stock so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
    return rows(HOT)[0][0], rows(HOT)[0][1]
