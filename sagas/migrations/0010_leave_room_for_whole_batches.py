"""Room on a page for the next version of every row on it, and a vacuum that keeps up with the log."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

# A batch updates all rows of a page at once: half of it must be free. A log that only grows is vacuumed for the map of
# what is visible and frozen, in small parts. A table of rows that come and go keeps its end: giving that back to the
# system takes a lock that stops everybody, also on replicas.
SETTINGS = """
ALTER TABLE sagas_saga SET (fillfactor = 50);
ALTER TABLE sagas_event SET (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE sagas_turn SET (vacuum_truncate = off);
"""
BEFORE = """
ALTER TABLE sagas_saga SET (fillfactor = 70);
ALTER TABLE sagas_event RESET (autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor);
ALTER TABLE sagas_turn RESET (vacuum_truncate);
"""


class Migration(migrations.Migration):
    """Reversible. Rows stay where they are, and nobody waits: what is written from now on goes by it."""

    dependencies: ClassVar = [("sagas", "0009_add_saga_style")]

    operations: ClassVar = [migrations.RunSQL(SETTINGS, BEFORE)]
