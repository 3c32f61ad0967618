"""What Django cannot say: room on the page for updates, and a table that is only ever added to."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

ROOM = """
ALTER TABLE inventory_stock SET (fillfactor = 50);
ALTER TABLE inventory_reservation SET (fillfactor = 70);
ALTER TABLE inventory_reservationline SET (fillfactor = 80);
"""
NO_ROOM = """
ALTER TABLE inventory_stock RESET (fillfactor);
ALTER TABLE inventory_reservation RESET (fillfactor);
ALTER TABLE inventory_reservationline RESET (fillfactor);
"""

APPEND_ONLY = """
CREATE FUNCTION inventory_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a movement is never changed: write another one'
    USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER inventory_movement_is_append_only BEFORE UPDATE OR DELETE ON inventory_movement
  FOR EACH STATEMENT EXECUTE FUNCTION inventory_refuse_change();
"""
NOT_APPEND_ONLY = """
DROP TRIGGER inventory_movement_is_append_only ON inventory_movement;
DROP FUNCTION inventory_refuse_change();
"""


class Migration(migrations.Migration):
    """Reversible as a whole."""

    dependencies: ClassVar = [("inventory", "0001_create_stock_movements_and_reservations")]

    operations: ClassVar = [
        migrations.RunSQL(ROOM, NO_ROOM),
        migrations.RunSQL(APPEND_ONLY, NOT_APPEND_ONLY),
    ]
