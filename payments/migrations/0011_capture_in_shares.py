"""Captures in shares, one row each; a payment may stand between its first share and its last. Locks payments for a moment."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

import sagas.ids

PAYMENT_STATES = [
    ("created", "Created"), ("authorizing", "Authorizing"), ("requires_action", "Requires Action"),
    ("authorized", "Authorized"), ("capturing", "Capturing"), ("partly_captured", "Partly Captured"),
    ("releasing", "Releasing"), ("captured", "Captured"), ("declined", "Declined"), ("voiding", "Voiding"),
    ("voided", "Voided"), ("expired", "Expired"), ("capture_failed", "Capture Failed"), ("unknown", "Unknown"),
]  # fmt: skip
CAPTURE_STATES = [
    ("submitting", "Submitting"), ("unknown", "Unknown"), ("put_off", "Put Off"), ("succeeded", "Succeeded"),
    ("failed", "Failed"),
]  # fmt: skip


class Migration(migrations.Migration):
    """Reversible while nothing is partly captured."""

    dependencies: ClassVar = [("payments", "0009_validate_what_was_repaid")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Capture",
            fields=[
                ("moved_at", models.DateTimeField()),
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("saga_id", models.UUIDField()),
                ("key", models.UUIDField()),
                ("amount_minor", models.BigIntegerField()),
                ("before_minor", models.BigIntegerField()),
                ("state", models.CharField(choices=CAPTURE_STATES, default="submitting", max_length=10)),
                ("code", models.CharField(default="", max_length=100)),
                ("mismatch", models.CharField(default="", max_length=200)),
                ("made_at", models.DateTimeField()),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="captures",
                        to="payments.payment",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("saga_id",), name="payments_capture_once_per_saga"),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["submitting", "unknown"])),
                        fields=("payment",),
                        name="payments_capture_one_open_per_payment",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor__gt", 0), ("before_minor__gte", 0)),
                        name="payments_capture_takes_something",
                    ),
                ]
            },
        ),
        migrations.AlterField(
            model_name="payment",
            name="state",
            field=models.CharField(choices=PAYMENT_STATES, default="created", max_length=15),
        ),
        migrations.RemoveConstraint(model_name="payment", name="payments_payment_captured_stays_captured"),
        # Checked at once for what is written from now on; the next migration looks at what was there.
        AddConstraintNotValid(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("captured_minor", 0),
                    ("state__in", ["captured", "partly_captured", "releasing"]),
                    _connector="OR",
                ),
                name="payments_payment_captured_stays_captured",
            ),
        ),
    ]
