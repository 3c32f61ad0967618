"""Wishes to erase a person, and a promise that who was erased has no data left. No copies in statistics."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

# ANALYZE keeps samples of a column's values. Of people it must not: nobody could erase them there.
NO_SAMPLES = """
ALTER TABLE sagas_person
  ALTER COLUMN reference SET STATISTICS 0, ALTER COLUMN name SET STATISTICS 0,
  ALTER COLUMN email SET STATISTICS 0, ALTER COLUMN address SET STATISTICS 0;
DO $$ BEGIN
  IF to_regclass('sagas_person_email') IS NOT NULL THEN
    ALTER INDEX sagas_person_email ALTER COLUMN 1 SET STATISTICS 0;
  END IF;
END $$;
"""
SAMPLES = """
ALTER TABLE sagas_person
  ALTER COLUMN reference SET STATISTICS -1, ALTER COLUMN name SET STATISTICS -1,
  ALTER COLUMN email SET STATISTICS -1, ALTER COLUMN address SET STATISTICS -1;
DO $$ BEGIN
  IF to_regclass('sagas_person_email') IS NOT NULL THEN
    ALTER INDEX sagas_person_email ALTER COLUMN 1 SET STATISTICS -1;
  END IF;
END $$;
"""


class Migration(migrations.Migration):
    """Reversible. The constraint is proven for old rows by the next migration, without a long lock."""

    dependencies: ClassVar = [("sagas", "0006_add_projection_builds")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("person_id", models.UUIDField(primary_key=True, serialize=False)),
                ("actor", models.CharField(max_length=100)),
                ("reason", models.TextField()),
                ("asked_at", models.DateTimeField()),
            ],
        ),
        migrations.AlterModelOptions(name="person", options={"verbose_name_plural": "people"}),
        AddConstraintNotValid(
            model_name="person",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("erased_at__isnull", True),
                    models.Q(
                        ("address", {}), ("email", ""), ("name", ""), ("reference__startswith", "erased/")
                    ),
                    _connector="OR",
                ),
                name="sagas_person_erased_is_empty",
            ),
        ),
        migrations.RunSQL(NO_SAMPLES, SAMPLES),
    ]
