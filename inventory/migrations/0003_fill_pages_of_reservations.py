"""Full pages for reservations: their updates change the state, by which indexes are limited, so room gains nothing."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

SETTINGS = """
ALTER TABLE inventory_reservation RESET (fillfactor);
ALTER TABLE inventory_reservation SET (autovacuum_vacuum_scale_factor = 0.05);
"""
BEFORE = """
ALTER TABLE inventory_reservation SET (fillfactor = 70);
ALTER TABLE inventory_reservation RESET (autovacuum_vacuum_scale_factor);
"""


class Migration(migrations.Migration):
    """Reversible. Rows stay where they are, and nobody waits: what is written from now on goes by it."""

    dependencies: ClassVar = [("inventory", "0002_keep_stock_hot_and_movements_unchanged")]

    operations: ClassVar = [migrations.RunSQL(SETTINGS, BEFORE)]
