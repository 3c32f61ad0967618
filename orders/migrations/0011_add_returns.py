import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

import sagas.ids


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0010_validate_refunds"),
    ]

    operations = [
        migrations.CreateModel(
            name="Return",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("number", models.IntegerField()),
                ("version", models.IntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Requested"),
                            ("received", "Received"),
                            ("inspected", "Inspected"),
                            ("closed", "Closed"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        choices=[
                            ("shop", "Shop"),
                            ("staff", "Staff"),
                            ("cancellation", "Cancellation"),
                            ("carrier", "Carrier"),
                        ],
                        max_length=12,
                    ),
                ),
                ("reason", models.CharField(max_length=500)),
                ("asked_by", models.CharField(max_length=100)),
                ("late", models.BooleanField(default=False)),
                ("shipment_id", models.UUIDField(null=True)),
                ("saga_id", models.UUIDField()),
                ("unexpected", models.JSONField(default=list)),
                ("refund_minor", models.BigIntegerField(default=0)),
                ("credit_minor", models.BigIntegerField(default=0)),
                ("end_code", models.CharField(default="", max_length=100)),
                ("due_at", models.DateTimeField()),
                ("requested_at", models.DateTimeField()),
                ("received_at", models.DateTimeField(null=True)),
                ("inspected_at", models.DateTimeField(null=True)),
                ("moved_at", models.DateTimeField()),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="returns",
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
                "permissions": [
                    ("open_return", "Can open and withdraw returns"),
                    ("open_late_return", "Can open returns after the time for them is over"),
                    ("receive_return", "Can say what came back"),
                    ("inspect_return", "Can accept or reject what came back"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReturnLine",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "back_id", "position", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("position", models.IntegerField()),
                ("sku", models.CharField(max_length=100)),
                ("asked", models.IntegerField()),
                ("received", models.IntegerField(default=0)),
                ("accepted", models.IntegerField(default=0)),
                ("rejected", models.IntegerField(default=0)),
                ("restock", models.IntegerField(default=0)),
                ("reject_reason", models.CharField(default="", max_length=200)),
                (
                    "back",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="orders.return",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="return",
            index=models.Index(models.F("state"), models.F("id"), name="orders_return_page"),
        ),
        migrations.AddConstraint(
            model_name="return",
            constraint=models.UniqueConstraint(
                fields=("order", "number"), name="orders_return_once_per_order_and_number"
            ),
        ),
        migrations.AddConstraint(
            model_name="return",
            constraint=models.UniqueConstraint(
                fields=("saga_id",), name="orders_return_has_a_saga_of_its_own"
            ),
        ),
        migrations.AddConstraint(
            model_name="return",
            constraint=models.UniqueConstraint(
                condition=models.Q(("shipment_id__isnull", False)),
                fields=("shipment_id",),
                name="orders_return_once_per_parcel",
            ),
        ),
        migrations.AddConstraint(
            model_name="return",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["requested", "received", "inspected", "closed", "withdrawn"])
                ),
                name="orders_return_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="return",
            constraint=models.CheckConstraint(
                condition=models.Q(("origin__in", ["shop", "staff", "cancellation", "carrier"])),
                name="orders_return_origin_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="return",
            constraint=models.CheckConstraint(
                condition=models.Q(("credit_minor__gte", 0), ("refund_minor__gte", 0)),
                name="orders_return_amounts_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="return",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state", "closed"), models.Q(("credit_minor", 0), ("refund_minor", 0)), _connector="OR"
                ),
                name="orders_return_pays_when_it_is_closed",
            ),
        ),
        migrations.AddConstraint(
            model_name="return",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ("requested", "withdrawn")), ("received_at__isnull", False), _connector="OR"
                ),
                name="orders_return_was_received_before_it_went_on",
            ),
        ),
        migrations.AddConstraint(
            model_name="returnline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("accepted__gte", 0),
                    ("asked__gte", 0),
                    ("received__gte", 0),
                    ("rejected__gte", 0),
                    ("restock__gte", 0),
                ),
                name="orders_returnline_pieces_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="returnline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("accepted", 0), ("rejected", 0)),
                    (
                        "received",
                        django.db.models.expressions.CombinedExpression(
                            models.F("accepted"), "+", models.F("rejected")
                        ),
                    ),
                    _connector="OR",
                ),
                name="orders_returnline_decides_on_what_was_received",
            ),
        ),
        migrations.AddConstraint(
            model_name="returnline",
            constraint=models.CheckConstraint(
                condition=models.Q(("restock__lte", models.F("accepted"))),
                name="orders_returnline_restocks_what_was_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="returnline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rejected", 0), models.Q(("reject_reason", ""), _negated=True), _connector="OR"
                ),
                name="orders_returnline_rejects_with_a_reason",
            ),
        ),
    ]
