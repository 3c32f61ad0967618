"""What Django's models cannot say: the clock, the position of events, an append-only log, room for HOT updates."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

CLOCK = """
CREATE FUNCTION waybill_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT clock_timestamp() + coalesce(nullif(current_setting('waybill.offset', true), '')::interval, interval '0')
$$;
"""

POSITION = """
ALTER TABLE sagas_event ALTER COLUMN position ADD GENERATED ALWAYS AS IDENTITY (CACHE 1);
"""
NO_POSITION = "ALTER TABLE sagas_event ALTER COLUMN position DROP IDENTITY;"

APPEND_ONLY = """
CREATE FUNCTION sagas_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the event log is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER sagas_event_append_only BEFORE UPDATE OR DELETE ON sagas_event
  FOR EACH STATEMENT EXECUTE FUNCTION sagas_event_is_append_only();
"""
NOT_APPEND_ONLY = """
DROP TRIGGER sagas_event_append_only ON sagas_event;
DROP FUNCTION sagas_event_is_append_only();
"""

ROOM = """
ALTER TABLE sagas_saga SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE sagas_step SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE sagas_checkpoint SET (fillfactor = 50);
ALTER TABLE sagas_turn SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
"""
NO_ROOM = """
ALTER TABLE sagas_saga RESET (fillfactor, autovacuum_vacuum_scale_factor);
ALTER TABLE sagas_step RESET (fillfactor, autovacuum_vacuum_scale_factor);
ALTER TABLE sagas_checkpoint RESET (fillfactor);
ALTER TABLE sagas_turn RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
"""


class Migration(migrations.Migration):
    """Reversible as a whole."""

    dependencies: ClassVar = [("sagas", "0001_create_platform")]

    operations: ClassVar = [
        migrations.RunSQL(CLOCK, "DROP FUNCTION waybill_now();"),
        migrations.RunSQL(POSITION, NO_POSITION),
        migrations.RunSQL(APPEND_ONLY, NOT_APPEND_ONLY),
        migrations.RunSQL(ROOM, NO_ROOM),
    ]
