"""Snapshots of orders whose streams have become long."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible. Without the table's rows every replay reads the whole stream, and finds the same."""

    dependencies: ClassVar = [("orders", "0005_add_fulfilment_style")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="OrderSnapshot",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "order_id", "version", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("order_id", models.UUIDField()),
                ("version", models.IntegerField()),
                ("shape", models.CharField(max_length=16)),
                ("data", models.JSONField()),
                ("at", models.DateTimeField()),
            ],
            options={"db_table": "orders_snapshot"},
        ),
    ]
