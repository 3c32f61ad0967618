"""What a provider tells unasked: reversed captures, disputes, and what is watched because nobody told."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models import F, Q

import sagas.ids

ACCOUNTS = [
    ("holds", "Holds"),
    ("holds_contra", "Holds Contra"),
    ("provider_clearing", "Provider Clearing"),
    ("sales", "Sales"),
    ("refunds", "Refunds"),
    ("refunds_payable", "Refunds Payable"),
    ("customer_credit", "Customer Credit"),
    ("receivable", "Receivable"),
]
KINDS = [
    ("authorization", "Authorization"),
    ("release", "Release"),
    ("capture", "Capture"),
    ("refund_promised", "Refund Promised"),
    ("refund_paid", "Refund Paid"),
    ("credit", "Credit"),
    ("refund_returned", "Refund Returned"),
    ("capture_reversed", "Capture Reversed"),
]
FLAGS = [("", "None"), ("reversed", "Reversed"), ("disputed", "Disputed"), ("dispute_lost", "Dispute Lost")]
WATCHED = [("payment", "Payment"), ("refund", "Refund")]


class Migration(migrations.Migration):
    """Reversible. Columns come with a constant default and checks are validated apart: nobody waits for long."""

    atomic = False

    dependencies: ClassVar = [("payments", "0002_keep_the_ledger_true")]

    operations: ClassVar = [
        migrations.AddField("payment", "reversed_minor", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddField(
            "payment", "flag", models.CharField(choices=FLAGS, db_default="", default="", max_length=12)
        ),
        migrations.AddField("refund", "returned_at", models.DateTimeField(null=True)),
        AddConstraintNotValid(
            "payment",
            models.CheckConstraint(
                condition=Q(("reversed_minor__gte", 0), ("reversed_minor__lte", F("captured_minor"))),
                name="payments_payment_reversed_at_most_captured",
            ),
        ),
        ValidateConstraint("payment", "payments_payment_reversed_at_most_captured"),
        migrations.AlterField("journalentry", "kind", models.CharField(choices=KINDS, max_length=20)),
        migrations.AlterField("journalline", "account", models.CharField(choices=ACCOUNTS, max_length=20)),
        migrations.RemoveConstraint("journalline", "payments_journalline_known_account"),
        AddConstraintNotValid(
            "journalline",
            models.CheckConstraint(
                condition=Q(("account__in", [name for name, _ in ACCOUNTS])),
                name="payments_journalline_known_account",
            ),
        ),
        ValidateConstraint("journalline", "payments_journalline_known_account"),
        migrations.CreateModel(
            name="Dispute",
            fields=[
                ("moved_at", models.DateTimeField()),
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("provider_id", models.CharField(max_length=100)),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("won", "Won"), ("lost", "Lost")],
                        default="open",
                        max_length=4,
                    ),
                ),
                ("made_at", models.DateTimeField()),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disputes",
                        to="payments.payment",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("provider_id",), name="payments_dispute_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("kind", models.CharField(choices=WATCHED, max_length=7)),
                ("looks", models.IntegerField(default=0)),
                ("look_at", models.DateTimeField()),
            ],
            options={"indexes": [models.Index("look_at", name="payments_watch_due")]},
        ),
        migrations.CreateModel(
            name="Patrol",
            fields=[
                (
                    "kind",
                    models.CharField(choices=WATCHED, max_length=7, primary_key=True, serialize=False),
                ),
                ("seen", models.UUIDField()),
            ],
        ),
    ]
