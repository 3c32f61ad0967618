"""Orders whose parcels stay in the house while the customer's bank disputes the payment."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible; a new table locks nothing."""

    dependencies: ClassVar = [("shipping", "0007_tell_parcels_of_an_order_apart")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Hold",
            fields=[
                ("dispute_id", models.UUIDField(primary_key=True, serialize=False)),
                ("order_id", models.UUIDField()),
                ("version", models.IntegerField()),
                ("held", models.BooleanField()),
                ("moved_at", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index("order_id", name="shipping_hold_order", condition=models.Q(held=True)),
                ]
            },
        ),
    ]
