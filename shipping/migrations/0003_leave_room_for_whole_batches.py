"""Room on a page for the next version of every shipment on it: a batch updates all of them at once."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

SETTINGS = """
ALTER TABLE shipping_shipment SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
"""
BEFORE = """
ALTER TABLE shipping_shipment SET (fillfactor = 70);
ALTER TABLE shipping_shipment RESET (autovacuum_vacuum_scale_factor);
"""


class Migration(migrations.Migration):
    """Reversible. Rows stay where they are, and nobody waits: what is written from now on goes by it."""

    dependencies: ClassVar = [("shipping", "0002_keep_room_for_updates")]

    operations: ClassVar = [migrations.RunSQL(SETTINGS, BEFORE)]
