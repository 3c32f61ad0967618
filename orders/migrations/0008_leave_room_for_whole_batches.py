"""Room on a page for the next version of every row on it: a batch updates all of them at once."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

SETTINGS = """
ALTER TABLE orders_order SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE orders_orderview_1 SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE orders_orderview_2 SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
"""
BEFORE = """
ALTER TABLE orders_order SET (fillfactor = 70);
ALTER TABLE orders_order RESET (autovacuum_vacuum_scale_factor);
ALTER TABLE orders_orderview_1 SET (fillfactor = 70);
ALTER TABLE orders_orderview_1 RESET (autovacuum_vacuum_scale_factor);
ALTER TABLE orders_orderview_2 SET (fillfactor = 70);
ALTER TABLE orders_orderview_2 RESET (autovacuum_vacuum_scale_factor);
"""


class Migration(migrations.Migration):
    """Reversible. Rows stay where they are, and nobody waits: what is written from now on goes by it."""

    dependencies: ClassVar = [("orders", "0007_add_order_views")]

    operations: ClassVar = [migrations.RunSQL(SETTINGS, BEFORE)]
