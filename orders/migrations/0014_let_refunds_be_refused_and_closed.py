"""Requests for refunds that a bank has overtaken, and those that a person ends because nobody pays them."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models
from django.db.models import F, Q

STATES = ["awaiting_approval", "running", "owed", "paid", "declined"]
MORE = [*STATES, "refused", "closed"]
KNOWN, AT_MOST = "orders_refundrequest_state_is_known", "orders_refundrequest_gives_at_most_its_amount"


class Migration(migrations.Migration):
    """Reversible until one was refused or closed. The table is small: one row for each wish of a person."""

    dependencies: ClassVar = [("orders", "0013_keep_fulfilment_orders")]

    operations: ClassVar = [
        migrations.AddField(
            "refundrequest", "dropped_minor", models.BigIntegerField(db_default=0, default=0)
        ),
        migrations.AddField(
            "refundrequest", "closed_by", models.CharField(db_default="", default="", max_length=100)
        ),
        migrations.AddField(
            "refundrequest", "closed_reason", models.CharField(db_default="", default="", max_length=500)
        ),
        migrations.AlterField(
            "refundrequest",
            "state",
            models.CharField(
                choices=[(word, word.replace("_", " ").title()) for word in MORE], max_length=17
            ),
        ),
        migrations.RemoveConstraint("refundrequest", KNOWN),
        migrations.AddConstraint(
            "refundrequest", models.CheckConstraint(condition=Q(state__in=MORE), name=KNOWN)
        ),
        migrations.RemoveConstraint("refundrequest", AT_MOST),
        migrations.AddConstraint(
            "refundrequest",
            models.CheckConstraint(
                condition=Q(
                    refunded_minor__gte=0,
                    credited_minor__gte=0,
                    owed_minor__gte=0,
                    dropped_minor__gte=0,
                    amount_minor__gte=F("refunded_minor")
                    + F("credited_minor")
                    + F("owed_minor")
                    + F("dropped_minor"),
                ),
                name=AT_MOST,
            ),
        ),
        migrations.AddConstraint(
            "refundrequest",
            models.CheckConstraint(
                condition=(Q(state="closed") & ~Q(closed_by="") & ~Q(closed_reason=""))
                | (~Q(state="closed") & Q(closed_by="", closed_reason="")),
                name="orders_refundrequest_closed_by_a_person_with_a_reason",
            ),
        ),
    ]
