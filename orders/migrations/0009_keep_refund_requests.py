"""Requests for refunds, and what was refunded of an order and of its lines. Locks the orders only for a moment."""

import django.db.models.deletion
import django.db.models.expressions
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

import sagas.ids


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0008_leave_room_for_whole_batches"),
    ]

    operations = [
        migrations.CreateModel(
            name="RefundRequest",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("version", models.IntegerField(default=1)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("awaiting_approval", "Awaiting Approval"),
                            ("running", "Running"),
                            ("owed", "Owed"),
                            ("paid", "Paid"),
                            ("declined", "Declined"),
                        ],
                        max_length=17,
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("amount_minor", models.BigIntegerField()),
                ("lines", models.JSONField(default=list)),
                ("reason", models.CharField(max_length=500)),
                ("asked_by", models.CharField(max_length=100)),
                ("asked_at", models.DateTimeField()),
                ("decided_by", models.CharField(default="", max_length=100)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decision_reason", models.CharField(default="", max_length=500)),
                ("saga_id", models.UUIDField(null=True)),
                ("refund_id", models.UUIDField(null=True)),
                ("refunded_minor", models.BigIntegerField(default=0)),
                ("credited_minor", models.BigIntegerField(default=0)),
                ("owed_minor", models.BigIntegerField(default=0)),
                ("returned_at", models.DateTimeField(null=True)),
                ("repaid_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("moved_at", models.DateTimeField()),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund_requests",
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
                    ("ask_refund", "Can ask for a refund of an order"),
                    ("approve_refund", "Can approve or decline a refund that somebody else asked for"),
                ],
            },
        ),
        migrations.AddField(
            model_name="order",
            name="refunded_minor",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="orderline",
            name="refunded_minor",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="orderline",
            name="refunded_quantity",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name="order",
            name="lock_kind",
            field=models.CharField(
                choices=[
                    ("", "None"),
                    ("fulfil", "Fulfil"),
                    ("cancel", "Cancel"),
                    ("return", "Return"),
                    ("refund", "Refund"),
                ],
                default="",
                max_length=8,
            ),
        ),
        AddConstraintNotValid(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("refunded_minor__gte", 0), ("refunded_minor__lte", models.F("total_minor"))
                ),
                name="orders_order_refunded_at_most_total",
            ),
        ),
        AddConstraintNotValid(
            model_name="orderline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "quantity__gte",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("cancelled_quantity"), "+", models.F("returned_quantity")
                            ),
                            "+",
                            models.F("refunded_quantity"),
                        ),
                    ),
                    ("refunded_minor__gte", 0),
                    ("refunded_minor__lte", models.F("total_minor")),
                    ("refunded_quantity__gte", 0),
                ),
                name="orders_line_refunds_no_piece_twice",
            ),
        ),
        migrations.AddIndex(
            model_name="refundrequest",
            index=models.Index(models.F("order"), models.F("id"), name="orders_refundrequest_of_order"),
        ),
        migrations.AddIndex(
            model_name="refundrequest",
            index=models.Index(
                models.F("id"),
                condition=models.Q(("state__in", ["awaiting_approval", "owed"])),
                name="orders_refundrequest_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundrequest",
            constraint=models.UniqueConstraint(
                fields=("saga_id",), name="orders_refundrequest_once_per_saga"
            ),
        ),
        migrations.AddConstraint(
            model_name="refundrequest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "running")),
                fields=("order",),
                name="orders_refundrequest_one_at_work_per_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["awaiting_approval", "running", "owed", "paid", "declined"])
                ),
                name="orders_refundrequest_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="orders_refundrequest_amount_above_zero"
            ),
        ),
        migrations.AddConstraint(
            model_name="refundrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "amount_minor__gte",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("refunded_minor"), "+", models.F("credited_minor")
                            ),
                            "+",
                            models.F("owed_minor"),
                        ),
                    ),
                    ("credited_minor__gte", 0),
                    ("owed_minor__gte", 0),
                    ("refunded_minor__gte", 0),
                ),
                name="orders_refundrequest_gives_at_most_its_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "owed"), ("owed_minor", 0), _connector="XOR"),
                name="orders_refundrequest_owed_says_how_much",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["awaiting_approval", "declined"]),
                    ("saga_id__isnull", False),
                    _connector="XOR",
                ),
                name="orders_refundrequest_is_paid_by_a_saga",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decided_at__isnull", True),
                        ("decided_by", ""),
                        models.Q(("state", "declined"), _negated=True),
                    ),
                    models.Q(
                        ("decided_at__isnull", False),
                        models.Q(("decided_by", ""), _negated=True),
                        models.Q(("decision_reason", ""), _negated=True),
                        models.Q(("state", "awaiting_approval"), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="orders_refundrequest_decision_has_a_name_and_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state", "declined"),
                    models.Q(("decided_by", models.F("asked_by")), _negated=True),
                    _connector="OR",
                ),
                name="orders_refundrequest_approved_by_another_person",
            ),
        ),
    ]
