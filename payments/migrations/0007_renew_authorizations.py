"""Until when a bank holds money, and the holds that are renewed before they run out."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

import sagas.ids

STATES = [
    ("asking", "Asking"), ("renewed", "Renewed"), ("spare", "Spare"), ("done", "Done"), ("dropped", "Dropped"),
    ("declined", "Declined"),
]  # fmt: skip
PATROLS = [("payment", "Payment"), ("refund", "Refund"), ("hold", "Hold")]


class Migration(migrations.Migration):
    """Reversible while no renewal is under way. A column that may be null is no rewrite; a new table locks nothing."""

    dependencies: ClassVar = [("payments", "0006_validate_known_accounts")]

    operations: ClassVar = [
        migrations.AddField("payment", "expires_at", models.DateTimeField(null=True)),
        migrations.AlterField(
            "patrol", "kind",
            models.CharField(choices=PATROLS, max_length=7, primary_key=True, serialize=False),
        ),
        migrations.CreateModel(
            name="Renewal",
            fields=[
                ("moved_at", models.DateTimeField()),
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("saga_id", models.UUIDField()),
                ("old_intent", models.CharField(max_length=100)),
                ("new_intent", models.CharField(default="", max_length=100)),
                ("state", models.CharField(choices=STATES, default="asking", max_length=8)),
                ("until", models.DateTimeField()),
                ("code", models.CharField(default="", max_length=100)),
                ("made_at", models.DateTimeField()),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="renewals", to="payments.payment"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("saga_id",), name="payments_renewal_once_per_saga"),
                    models.UniqueConstraint(fields=("old_intent",), name="payments_renewal_once_per_hold"),
                    models.UniqueConstraint(
                        fields=("new_intent",),
                        condition=models.Q(("new_intent", ""), _negated=True),
                        name="payments_renewal_new_intent_once",
                    ),
                ],
            },
        ),
    ]  # fmt: skip
