"""Who leads a saga: the engine, or nobody."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible; a column with a constant default is added without rewriting the table."""

    dependencies: ClassVar = [("sagas", "0008_find_people_by_their_customer")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="saga",
            name="style",
            field=models.CharField(
                choices=[("orchestration", "Orchestration"), ("choreography", "Choreography")],
                db_default="orchestration",
                default="orchestration",
                max_length=13,
            ),
        ),
    ]
