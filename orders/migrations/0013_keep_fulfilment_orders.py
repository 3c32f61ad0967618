"""Pieces of an order that go in one parcel, and the share of its money that they take."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

import sagas.ids


class Migration(migrations.Migration):
    """Reversible; a new table, and for a moment nobody writes orders or shops: its foreign keys are added to theirs."""

    dependencies: ClassVar = [
        ("orders", "0012_add_orders_in_parcels"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="FulfilmentOrder",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("number", models.IntegerField()),
                ("version", models.IntegerField(default=1)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("claimed", "Claimed"),
                            ("ready", "Ready"),
                            ("given_up", "Given Up"),
                            ("cancelling", "Cancelling"),
                            ("cancelled", "Cancelled"),
                        ],
                        max_length=10,
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("lines", models.JSONField()),
                ("pieces", models.BigIntegerField()),
                ("share_minor", models.BigIntegerField()),
                ("saga_id", models.UUIDField()),
                ("cancel_saga_id", models.UUIDField(null=True)),
                ("shipment_id", models.UUIDField(null=True)),
                ("code", models.CharField(default="", max_length=100)),
                ("asked_by", models.CharField(max_length=100)),
                ("reason", models.CharField(max_length=500)),
                ("asked_at", models.DateTimeField()),
                ("ready_at", models.DateTimeField(null=True)),
                ("moved_at", models.DateTimeField()),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fulfilment_orders",
                        to="orders.order",
                    ),
                ),
                (
                    "shop",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="orders.shop",
                    ),
                ),
            ],
            options={
                "permissions": [("ship_parcel", "Can ask for parcels of an order, and cancel them")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("order", "number"), name="orders_fulfilmentorder_once_per_number"
                    ),
                    models.UniqueConstraint(fields=("saga_id",), name="orders_fulfilmentorder_once_per_saga"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["claimed", "ready", "given_up", "cancelling", "cancelled"])
                        ),
                        name="orders_fulfilmentorder_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("pieces__gt", 0), ("share_minor__gte", 0)),
                        name="orders_fulfilmentorder_has_pieces",
                    ),
                    models.CheckConstraint(
                        condition=(~models.Q(state="ready") | models.Q(ready_at__isnull=False))
                        & (~models.Q(state__in=["claimed", "given_up"]) | models.Q(ready_at__isnull=True)),
                        name="orders_fulfilmentorder_ready_has_a_time",
                    ),
                ],
            },
        ),
    ]
