"""How far a build of a projection has come, and which events people let projections pass over."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible. New tables only: nothing waits for it."""

    dependencies: ClassVar = [
        ("sagas", "0005_index_people_by_email"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="ProjectionBuild",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100)),
                ("slot", models.SmallIntegerField()),
                ("era", models.IntegerField(default=0)),
                ("xid", models.BigIntegerField(default=0)),
                ("position", models.BigIntegerField(default=0)),
                ("events", models.BigIntegerField(default=0)),
                ("skipped", models.IntegerField(default=0)),
                ("differing", models.BigIntegerField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("building", "Building"),
                            ("stopped", "Stopped"),
                            ("compared", "Compared"),
                            ("swapped", "Swapped"),
                            ("dropped", "Dropped"),
                        ],
                        default="building",
                        max_length=10,
                    ),
                ),
                ("error", models.TextField(default="")),
                ("started_at", models.DateTimeField()),
                ("moved_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("slot__in", (1, 2))), name="sagas_build_slot_is_1_or_2"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("finished_at__isnull", True)),
                        fields=("name",),
                        name="sagas_build_one_open_per_projection",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ("compared", "swapped", "dropped")),
                            ("finished_at__isnull", True),
                            _connector="XOR",
                        ),
                        name="sagas_build_finished_exactly_when_final",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SkippedEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("subscription", models.CharField(max_length=100)),
                ("stream", models.UUIDField()),
                ("version", models.IntegerField()),
                ("era", models.IntegerField()),
                ("xid", models.BigIntegerField()),
                ("position", models.BigIntegerField()),
                ("error", models.TextField()),
                ("actor", models.CharField(max_length=100)),
                ("reason", models.CharField(max_length=500)),
                ("skipped_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("subscription", "stream", "version"),
                        name="sagas_skipped_event_once_per_subscription",
                    )
                ],
            },
        ),
    ]
