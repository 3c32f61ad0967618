"""Incoming webhooks: stored before they are answered, read afterwards."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models
from django.db.models import Q

import sagas.ids

STATES = [
    ("received", "Received"),
    ("matched", "Matched"),
    ("unmatched", "Unmatched"),
    ("applied", "Applied"),
    ("ignored", "Ignored"),
    ("expired", "Expired"),
]
# Rows come, are read within moments, and go after some months: half a page free keeps their updates on it. Bodies
# and headers may name people, so the planner keeps no samples of them.
ROOM = """
ALTER TABLE sagas_incomingwebhook SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE sagas_incomingwebhook ALTER body SET STATISTICS 0, ALTER headers SET STATISTICS 0;
"""
NO_ROOM = """
ALTER TABLE sagas_incomingwebhook RESET (fillfactor, autovacuum_vacuum_scale_factor);
ALTER TABLE sagas_incomingwebhook ALTER body SET STATISTICS -1, ALTER headers SET STATISTICS -1;
"""


class Migration(migrations.Migration):
    """Reversible. A new table only: nothing waits for it."""

    dependencies: ClassVar = [("sagas", "0011_let_people_force_circuits")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="IncomingWebhook",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("source", models.CharField(max_length=50)),
                ("event_id", models.CharField(max_length=200)),
                ("type", models.CharField(max_length=100)),
                ("object_id", models.CharField(max_length=200)),
                ("meaning", models.CharField(max_length=300)),
                ("body", models.BinaryField(default=b"")),
                ("headers", models.JSONField(default=dict)),
                ("occurred_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("state", models.CharField(choices=STATES, default="received", max_length=9)),
                ("code", models.CharField(default="", max_length=100)),
                ("attempts", models.IntegerField(default=0)),
                ("wake_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        "source", "wake_at", name="sagas_webhook_due", condition=Q(settled_at__isnull=True)
                    ),
                    models.Index("object_id", name="sagas_webhook_unmatched", condition=Q(state="unmatched")),
                    models.Index("object_id", "meaning", name="sagas_webhook_meaning"),
                    models.Index(
                        "settled_at", name="sagas_webhook_settled", condition=Q(settled_at__isnull=False)
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "event_id"), name="sagas_webhook_once_per_event"
                    ),
                    models.CheckConstraint(
                        condition=Q(
                            ("state__in", ("applied", "ignored", "expired")),
                            ("settled_at__isnull", True),
                            _connector="XOR",
                        ),
                        name="sagas_webhook_settled_exactly_when_ended",
                    ),
                    models.CheckConstraint(
                        condition=Q(
                            ("settled_at__isnull", False), ("wake_at__isnull", False), _connector="OR"
                        ),
                        name="sagas_webhook_open_has_a_wake_up",
                    ),
                ],
            },
        ),
        migrations.RunSQL(ROOM, NO_ROOM),
    ]
