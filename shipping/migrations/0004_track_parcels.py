"""How far a parcel has come by its carrier's word, and two ends more: returned and lost."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models

NAME = "shipping_shipment_bought_has_a_label"
STATES = [
    ("label_pending", "Label Pending"), ("unknown", "Unknown"), ("label_bought", "Label Bought"),
    ("label_failed", "Label Failed"), ("void_pending", "Void Pending"), ("voided", "Voided"),
    ("handed_over", "Handed Over"), ("delivered", "Delivered"), ("returned", "Returned"), ("lost", "Lost"),
]  # fmt: skip


class Migration(migrations.Migration):
    """Reversible. Columns without a rewrite; the constraint is looked at while others read and write."""

    atomic = False

    dependencies: ClassVar = [("shipping", "0003_leave_room_for_whole_batches")]

    operations: ClassVar = [
        migrations.AddField("shipment", "ask_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "shipment", "progress", models.CharField(db_default="", default="", max_length=16)
        ),
        migrations.AddField("shipment", "progress_at", models.DateTimeField(null=True)),
        migrations.AlterField(
            "shipment", "state", models.CharField(choices=STATES, default="label_pending", max_length=13)
        ),
        migrations.RemoveConstraint("shipment", NAME),
        AddConstraintNotValid(
            "shipment",
            models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ("label_bought", "handed_over", "delivered", "returned", "lost")),
                    _negated=True,
                )
                | models.Q(("carrier_id", ""), _negated=True),
                name=NAME,
            ),
        ),
        ValidateConstraint("shipment", NAME),
    ]
