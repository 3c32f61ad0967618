"""Payments that wait for their customer, and where the customer acts."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

STATES = [
    ("created", "Created"), ("authorizing", "Authorizing"), ("requires_action", "Requires Action"),
    ("authorized", "Authorized"), ("capturing", "Capturing"), ("captured", "Captured"), ("declined", "Declined"),
    ("voiding", "Voiding"), ("voided", "Voided"), ("expired", "Expired"), ("capture_failed", "Capture Failed"),
    ("unknown", "Unknown"),
]  # fmt: skip


class Migration(migrations.Migration):
    """Reversible while no payment waits. A longer text is no rewrite; a new table locks nothing."""

    dependencies: ClassVar = [("payments", "0003_add_what_providers_tell")]

    operations: ClassVar = [
        migrations.AlterField(
            "payment", "state", models.CharField(choices=STATES, default="created", max_length=15)
        ),
        migrations.CreateModel(
            name="CustomerAction",
            fields=[
                (
                    "payment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name="action",
                        serialize=False, to="payments.payment",
                    ),
                ),
                ("url", models.TextField()),
                ("until", models.DateTimeField()),
                ("made_at", models.DateTimeField()),
            ],
        ),
    ]  # fmt: skip
