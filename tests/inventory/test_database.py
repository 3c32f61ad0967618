"""What the database does for inventory: updates that stay on their page, and an index that is built anew."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from sagas.sql import execute, rows
from tests.inventory.warehouse import Warehouse

HOT = """
SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'inventory_stock'
"""


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
def test_the_index_of_parcels_is_built_anew_after_a_try_that_failed() -> None:
    executor = MigrationExecutor(connection)
    latest = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "shipping"]
    try:
        executor.migrate([("shipping", "0006_keep_until_when_to_correct")])
        for statement in (
            "ALTER TABLE shipping_shipment ADD COLUMN part_id uuid",
            "CREATE UNIQUE INDEX shipping_shipment_one_live_whole ON shipping_shipment (id)",
            "CREATE UNIQUE INDEX shipping_shipment_one_live_per_part ON shipping_shipment (id)",
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shipping_shipment_one_live_whole'::regclass",
        ):
            execute(statement)
    finally:
        MigrationExecutor(connection).migrate(latest)

    found = rows(
        "SELECT indexrelid::regclass::text, indisvalid, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indexrelid::regclass::text LIKE 'shipping_shipment_one_live%' ORDER BY 1"
    )
    assert [(name, valid) for name, valid, _ in found] == [
        ("shipping_shipment_one_live_per_order", True),
        ("shipping_shipment_one_live_per_part", True),
    ]
    assert ["(order_id)" in found[0][2], "(part_id)" in found[1][2]] == [True, True]
    assert "part_id IS NULL" in found[0][2]


def flushed() -> tuple[int, int]:
    """Updates and HOT updates of stock so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
    return rows(HOT)[0][0], rows(HOT)[0][1]
