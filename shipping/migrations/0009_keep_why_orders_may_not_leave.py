"""Why an order may not leave is kept by order: a parcel of it may be booked after that was heard."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible; nothing but a new table. What stops a shipment that is there already stays on it."""

    dependencies: ClassVar = [("shipping", "0008_hold_disputed_orders")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Stop",
            fields=[
                ("order_id", models.UUIDField(primary_key=True, serialize=False)),
                ("reason", models.CharField(default="", max_length=100)),
                ("version", models.IntegerField(default=0)),
            ],
        ),
    ]
