"""What the API answered, kept in the commit of what it did."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible."""

    dependencies: ClassVar = [("sagas", "0002_teach_the_database")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="KeptAnswer",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "client_id", "key", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("client_id", models.UUIDField()),
                ("key", models.CharField(max_length=255)),
                ("fingerprint", models.CharField(max_length=64)),
                ("status", models.SmallIntegerField()),
                ("headers", models.JSONField(default=dict)),
                ("body", models.JSONField()),
                ("made_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(models.F("made_at"), name="sagas_kept_answer_age")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__gte", 200), ("status__lt", 300)),
                        name="sagas_kept_answer_is_of_something_done",
                    )
                ],
            },
        ),
    ]
