"""Which slot of a projection's tables readers see."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible."""

    dependencies: ClassVar = [("sagas", "0003_keep_answers_of_the_api")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="ProjectionSlot",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("live_slot", models.SmallIntegerField(default=1)),
                ("swapped_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "sagas_projection",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("live_slot__in", (1, 2))), name="sagas_projection_slot_is_1_or_2"
                    )
                ],
            },
        ),
    ]
