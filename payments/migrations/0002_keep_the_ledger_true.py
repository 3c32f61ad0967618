"""What Django's models cannot say: a ledger that balances and never changes, and room for HOT updates."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

BALANCED = """
CREATE FUNCTION payments_journal_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wrong record;
BEGIN
  SELECT entry_id, currency, sum(amount_minor) AS off INTO wrong
    FROM fresh GROUP BY entry_id, currency HAVING sum(amount_minor) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'journal entry % is off balance by % %', wrong.entry_id, wrong.off, wrong.currency
      USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_journal_balances';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER payments_journal_balances AFTER INSERT ON payments_journalline
  REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION payments_journal_balances();
"""
NOT_BALANCED = """
DROP TRIGGER payments_journal_balances ON payments_journalline;
DROP FUNCTION payments_journal_balances();
"""

# TRUNCATE stays possible: it is how a test database is emptied.
APPEND_ONLY = """
CREATE FUNCTION payments_journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the journal is append-only: book a new entry' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER payments_journalentry_append_only BEFORE UPDATE OR DELETE ON payments_journalentry
  FOR EACH STATEMENT EXECUTE FUNCTION payments_journal_is_append_only();
CREATE TRIGGER payments_journalline_append_only BEFORE UPDATE OR DELETE ON payments_journalline
  FOR EACH STATEMENT EXECUTE FUNCTION payments_journal_is_append_only();
"""
NOT_APPEND_ONLY = """
DROP TRIGGER payments_journalline_append_only ON payments_journalline;
DROP TRIGGER payments_journalentry_append_only ON payments_journalentry;
DROP FUNCTION payments_journal_is_append_only();
"""

ROOM = """
ALTER TABLE payments_payment SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE payments_refund SET (fillfactor = 70);
"""
NO_ROOM = """
ALTER TABLE payments_payment RESET (fillfactor, autovacuum_vacuum_scale_factor);
ALTER TABLE payments_refund RESET (fillfactor);
"""


class Migration(migrations.Migration):
    """Reversible as a whole."""

    dependencies: ClassVar = [("payments", "0001_create_payments_and_ledger")]

    operations: ClassVar = [
        migrations.RunSQL(BALANCED, NOT_BALANCED),
        migrations.RunSQL(APPEND_ONLY, NOT_APPEND_ONLY),
        migrations.RunSQL(ROOM, NO_ROOM),
    ]
