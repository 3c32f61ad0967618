"""One unique index of people that also finds all of a customer: references that begin alike."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations, models

NEW = """
CREATE UNIQUE INDEX CONCURRENTLY sagas_person_once_per_reference
    ON sagas_person (shop_id, reference varchar_pattern_ops)
"""
OLD = "CREATE UNIQUE INDEX CONCURRENTLY sagas_person_once_per_shop ON sagas_person (shop_id, reference)"
AS_BEFORE = """
ALTER TABLE sagas_person
  ADD CONSTRAINT sagas_person_once_per_shop UNIQUE USING INDEX sagas_person_once_per_shop
"""


class Migration(migrations.Migration):
    """Reversible. Writers go on meanwhile; the last step of each way takes a lock for a moment."""

    atomic = False

    dependencies: ClassVar = [("sagas", "0007_let_people_be_erased")]

    operations: ClassVar = [
        ValidateConstraint(model_name="person", name="sagas_person_erased_is_empty"),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(NEW, "DROP INDEX CONCURRENTLY sagas_person_once_per_reference"),
                migrations.RunSQL(
                    "ALTER TABLE sagas_person DROP CONSTRAINT sagas_person_once_per_shop",
                    [OLD, AS_BEFORE],
                ),
            ],
            state_operations=[
                migrations.RemoveConstraint(model_name="person", name="sagas_person_once_per_shop"),
                migrations.AddConstraint(
                    model_name="person",
                    constraint=models.UniqueConstraint(
                        fields=("shop_id", "reference"),
                        name="sagas_person_once_per_reference",
                        opclasses=["uuid_ops", "varchar_pattern_ops"],
                    ),
                ),
            ],
        ),
    ]
