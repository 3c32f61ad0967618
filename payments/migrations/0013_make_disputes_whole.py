"""Disputes with their amount, their dates and their place in the books; refunds that a bank has overtaken."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import F, Q

import sagas.ids

ACCOUNTS = [
    "holds", "holds_contra", "provider_clearing", "sales", "refunds", "refunds_payable", "customer_credit",
    "receivable", "provider_settled", "provider_fees", "provider_fees_due", "disputed", "dispute_losses", "bank",
]  # fmt: skip
KINDS = [
    "authorization", "release", "capture", "refund_promised", "refund_paid", "credit", "refund_returned",
    "refund_repaid", "capture_reversed", "settlement", "dispute_opened", "dispute_won", "dispute_lost",
    "dispute_fee", "refund_refused",
]  # fmt: skip
REFUND_STATES = ["submitting", "unknown", "succeeded", "failed", "repaid", "refused"]
DISPUTE_STATES = ["needs_response", "under_review", "won", "lost"]

# What was told before amounts were kept has none: the loop that asks after disputes brings them up to date.
GIVE_DATES = """
UPDATE payments_dispute
   SET state = CASE state WHEN 'open' THEN 'needs_response' ELSE state END, opened_at = made_at,
       closed_at = CASE WHEN state IN ('won', 'lost') THEN moved_at END
"""
BE_OPEN_AGAIN = "UPDATE payments_dispute SET state = 'open' WHERE state NOT IN ('won', 'lost')"


def choices(words: list[str]) -> list[tuple[str, str]]:
    """Words as Django's choices."""
    return [(word, word.replace("_", " ").title()) for word in words]


def known(accounts: list[str]) -> models.CheckConstraint:
    """The chart of accounts."""
    return models.CheckConstraint(
        condition=Q(account__in=accounts), name="payments_journalline_known_account"
    )


class Migration(migrations.Migration):
    """Reversible until something is booked on a new account. Big tables are locked for a moment, and looked at later."""

    dependencies: ClassVar = [("payments", "0012_validate_captured_stays")]

    operations: ClassVar = [
        migrations.AddField("payment", "disputed_minor", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddField("payment", "charged_back_minor", models.BigIntegerField(db_default=0, default=0)),
        AddConstraintNotValid(
            "payment",
            models.CheckConstraint(
                condition=Q(
                    disputed_minor__gte=0,
                    charged_back_minor__gte=0,
                    captured_minor__gte=F("disputed_minor") + F("charged_back_minor") + F("reversed_minor"),
                ),
                name="payments_payment_banks_take_at_most_captured",
            ),
        ),
        migrations.AlterField(
            "refund",
            "state",
            models.CharField(choices=choices(REFUND_STATES), default="submitting", max_length=10),
        ),
        migrations.AlterField(
            "journalentry", "kind", models.CharField(choices=choices(KINDS), max_length=20)
        ),
        migrations.AlterField(
            "journalline", "account", models.CharField(choices=choices(ACCOUNTS), max_length=20)
        ),
        migrations.RemoveConstraint("journalline", "payments_journalline_known_account"),
        AddConstraintNotValid("journalline", known(ACCOUNTS)),
        migrations.AlterField(
            "dispute",
            "state",
            models.CharField(choices=choices(DISPUTE_STATES), default="needs_response", max_length=14),
        ),
        migrations.AddField("dispute", "inquiry", models.BooleanField(db_default=False, default=False)),
        migrations.AddField("dispute", "amount_minor", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddField("dispute", "currency", models.CharField(db_default="", default="", max_length=3)),
        migrations.AddField("dispute", "reason", models.CharField(db_default="", default="", max_length=30)),
        migrations.AddField("dispute", "evidence_due_by", models.DateTimeField(null=True)),
        migrations.AddField("dispute", "withdrawn_minor", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddField("dispute", "fee_minor", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddField(
            "dispute", "fee_currency", models.CharField(db_default="", default="", max_length=3)
        ),
        migrations.AddField("dispute", "opened_at", models.DateTimeField(null=True)),
        migrations.AddField("dispute", "closed_at", models.DateTimeField(null=True)),
        migrations.AddField("dispute", "asked_at", models.DateTimeField(null=True)),
        migrations.RunSQL(GIVE_DATES, BE_OPEN_AGAIN),
        migrations.AlterField("dispute", "opened_at", models.DateTimeField()),
        migrations.AddConstraint(
            "dispute",
            models.CheckConstraint(
                condition=Q(
                    amount_minor__gte=0, withdrawn_minor__gte=0, withdrawn_minor__lte=F("amount_minor")
                ),
                name="payments_dispute_takes_at_most_its_amount",
            ),
        ),
        migrations.AddConstraint(
            "dispute",
            models.CheckConstraint(
                condition=Q(state__in=["needs_response", "under_review"]) ^ Q(closed_at__isnull=False),
                name="payments_dispute_closed_says_when",
            ),
        ),
        migrations.AddConstraint(
            "dispute",
            models.CheckConstraint(
                condition=Q(inquiry=False) | Q(withdrawn_minor=0),
                name="payments_dispute_inquiry_takes_nothing",
            ),
        ),
        migrations.CreateModel(
            name="DisputeFee",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("made_at", models.DateTimeField()),
                (
                    "dispute",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fees",
                        to="payments.dispute",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=~Q(amount_minor=0), name="payments_disputefee_changes_something"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="RefundCut",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("amount_minor", models.BigIntegerField()),
                ("made_at", models.DateTimeField()),
                (
                    "refund",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cuts",
                        to="payments.refund",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(amount_minor__gt=0), name="payments_refundcut_cuts_something"
                    )
                ]
            },
        ),
        migrations.AddIndex(
            "dispute",
            models.Index(
                "evidence_due_by",
                "id",
                name="payments_dispute_open",
                condition=Q(state__in=["needs_response", "under_review"]),
            ),
        ),
    ]
