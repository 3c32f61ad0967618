"""Circuits that a person holds open or closed."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible; a new table locks nothing."""

    dependencies: ClassVar = [("sagas", "0010_leave_room_for_whole_batches")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="ForcedCircuit",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "provider", "operation", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("provider", models.CharField(max_length=100)),
                ("operation", models.CharField(max_length=100)),
                (
                    "position",
                    models.CharField(choices=[("open", "Open"), ("closed", "Closed")], max_length=6),
                ),
                ("actor", models.CharField(max_length=100)),
                ("reason", models.CharField(max_length=500)),
                ("since", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("position__in", ("open", "closed"))),
                        name="sagas_forcedcircuit_known_position",
                    ),
                ],
            },
        ),
    ]
