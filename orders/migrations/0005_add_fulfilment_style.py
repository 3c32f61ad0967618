"""Who leads an order's fulfilment: the engine, or nobody."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible; a column with a constant default is added without rewriting the table."""

    dependencies: ClassVar = [("orders", "0004_index_orders_by_person")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="order",
            name="fulfilment",
            field=models.CharField(
                choices=[("orchestration", "Orchestration"), ("choreography", "Choreography")],
                db_default="orchestration",
                default="orchestration",
                max_length=13,
            ),
        ),
    ]
