"""Refunds that were paid back another way than through the provider."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q

KINDS = [
    ("authorization", "Authorization"),
    ("release", "Release"),
    ("capture", "Capture"),
    ("refund_promised", "Refund Promised"),
    ("refund_paid", "Refund Paid"),
    ("credit", "Credit"),
    ("refund_returned", "Refund Returned"),
    ("refund_repaid", "Refund Repaid"),
    ("capture_reversed", "Capture Reversed"),
    ("settlement", "Settlement"),
]
STATES = [
    ("submitting", "Submitting"),
    ("unknown", "Unknown"),
    ("succeeded", "Succeeded"),
    ("failed", "Failed"),
    ("repaid", "Repaid"),
]


class Migration(migrations.Migration):
    """Reversible; columns with a constant default are added without rewriting, and rows are looked at later."""

    dependencies: ClassVar = [("payments", "0007_renew_authorizations")]

    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="refund",
            options={"permissions": [("repay_refund", "Can record a refund as paid back another way")]},
        ),
        migrations.AddField("payment", "repaid_minor", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddField("refund", "repaid_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "refund", "repaid_by", models.CharField(db_default="", default="", max_length=100)
        ),
        migrations.AddField(
            "refund", "repaid_reference", models.CharField(db_default="", default="", max_length=140)
        ),
        migrations.AlterField("journalentry", "kind", models.CharField(choices=KINDS, max_length=20)),
        migrations.AlterField(
            "refund", "state", models.CharField(choices=STATES, default="submitting", max_length=10)
        ),
        AddConstraintNotValid(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=Q(
                    repaid_minor__gte=0,
                    captured_minor__gte=F("refunded_minor") + F("refunding_minor") + F("repaid_minor"),
                ),
                name="payments_payment_repaid_at_most_captured",
            ),
        ),
        AddConstraintNotValid(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=(
                    Q(state="repaid", repaid_at__isnull=False, amount_minor__gt=0)
                    & ~Q(repaid_by="")
                    & ~Q(repaid_reference="")
                )
                | (~Q(state="repaid") & Q(repaid_at__isnull=True, repaid_by="", repaid_reference="")),
                name="payments_refund_repaid_says_by_whom_and_how",
            ),
        ),
    ]
