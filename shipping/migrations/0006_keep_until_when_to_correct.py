"""How long the address of a parcel may be corrected, and the state in which it waits for that."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

STATES = [
    ("label_pending", "Label Pending"), ("unknown", "Unknown"), ("label_bought", "Label Bought"),
    ("address_wrong", "Address Wrong"), ("label_failed", "Label Failed"), ("void_pending", "Void Pending"),
    ("voided", "Voided"), ("handed_over", "Handed Over"), ("delivered", "Delivered"), ("returned", "Returned"),
    ("lost", "Lost"),
]  # fmt: skip


class Migration(migrations.Migration):
    """Reversible. A nullable column without a default: no row is rewritten."""

    dependencies: ClassVar = [("shipping", "0005_index_parcels_to_ask_after")]

    operations: ClassVar = [
        migrations.AddField("shipment", "correct_until", models.DateTimeField(null=True)),
        migrations.AlterField(
            "shipment", "state", models.CharField(choices=STATES, default="label_pending", max_length=13)
        ),
    ]
