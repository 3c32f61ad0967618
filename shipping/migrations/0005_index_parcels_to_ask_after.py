"""Parcels of which nothing was heard for long are found by an index, built while others write."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible; alone, because it cannot run in a transaction."""

    atomic = False

    dependencies: ClassVar = [("shipping", "0004_track_parcels")]

    operations: ClassVar = [
        AddIndexConcurrently(
            "shipment",
            models.Index(
                models.F("ask_at"),
                name="shipping_shipment_to_ask",
                condition=models.Q(("ask_at__isnull", False)),
            ),
        ),
    ]
