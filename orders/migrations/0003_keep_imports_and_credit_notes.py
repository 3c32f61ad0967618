import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

import sagas.ids


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0002_keep_order_updates_hot"),
    ]

    operations = [
        migrations.CreateModel(
            name="ImportFile",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("format", models.CharField(max_length=30)),
                ("name", models.CharField(max_length=200)),
                ("digest", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Running"), ("finished", "Finished"), ("broken", "Broken")],
                        default="running",
                        max_length=10,
                    ),
                ),
                ("error", models.CharField(default="", max_length=500)),
                ("rows_read", models.BigIntegerField(default=0)),
                ("rows_imported", models.BigIntegerField(default=0)),
                ("rows_reported", models.BigIntegerField(default=0)),
                ("stocked_at", models.DateTimeField(null=True)),
                ("began_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
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
        ),
        migrations.CreateModel(
            name="ImportedDocument",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shop_id", "reference", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("reference", models.CharField(max_length=100)),
                ("kind", models.CharField(max_length=20)),
                ("digest", models.CharField(max_length=64)),
                ("rows_imported", models.IntegerField()),
                (
                    "shop",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="orders.shop",
                    ),
                ),
                (
                    "file",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="documents",
                        to="orders.importfile",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CreditNote",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("reference", models.CharField(max_length=100)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("cancellation", "Cancellation"),
                            ("return", "Return"),
                            ("allowance", "Allowance"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("applied", "Applied"),
                            ("nothing_to_refund", "Nothing To Refund"),
                            ("credited", "Credited"),
                        ],
                        default="waiting",
                        max_length=20,
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("amount_minor", models.BigIntegerField()),
                ("refund_minor", models.BigIntegerField(default=0)),
                ("credit_minor", models.BigIntegerField(default=0)),
                ("lines", models.JSONField(default=list)),
                ("saga_id", models.UUIDField(null=True)),
                ("tries", models.IntegerField(default=0)),
                ("issued_at", models.DateTimeField()),
                ("made_at", models.DateTimeField()),
                ("moved_at", models.DateTimeField()),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_notes",
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
                "indexes": [
                    models.Index(
                        models.F("order"),
                        models.F("issued_at"),
                        models.F("id"),
                        name="orders_creditnote_of_order",
                    ),
                    models.Index(
                        models.F("issued_at"),
                        models.F("id"),
                        condition=models.Q(("state", "waiting")),
                        name="orders_creditnote_waiting",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("reference", "shop"), name="orders_creditnote_once_per_shop_and_reference"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["waiting", "applied", "nothing_to_refund", "credited"])
                        ),
                        name="orders_creditnote_state_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["cancellation", "return", "allowance"])),
                        name="orders_creditnote_kind_is_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount_minor__gte", 0), ("credit_minor__gte", 0), ("refund_minor__gte", 0)
                        ),
                        name="orders_creditnote_amounts_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount_minor__gte", models.F("credit_minor"))),
                        name="orders_creditnote_owes_at_most_its_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("order__isnull", True), ("state", "credited")),
                            models.Q(
                                models.Q(("state", "credited"), _negated=True), ("order__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="orders_creditnote_credited_means_no_order",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="importfile",
            constraint=models.UniqueConstraint(
                fields=("shop", "digest"), name="orders_importfile_once_per_shop"
            ),
        ),
        migrations.AddConstraint(
            model_name="importfile",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "rows_read",
                        django.db.models.expressions.CombinedExpression(
                            models.F("rows_imported"), "+", models.F("rows_reported")
                        ),
                    )
                ),
                name="orders_importfile_every_row_is_accounted_for",
            ),
        ),
    ]
