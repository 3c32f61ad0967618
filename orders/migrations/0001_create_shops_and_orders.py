import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.db import migrations, models

import sagas.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Parcel",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("order_id", models.UUIDField()),
                ("handed_over", models.BooleanField(default=False)),
                ("delivered", models.BooleanField(default=False)),
                ("gone", models.BooleanField(default=False)),
            ],
            options={
                "indexes": [models.Index(models.F("order_id"), name="orders_parcel_order")],
            },
        ),
        migrations.CreateModel(
            name="Shop",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("slug", models.SlugField()),
                ("name", models.CharField(max_length=200)),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("slug",), name="orders_shop_slug_once")],
            },
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("external_reference", models.CharField(max_length=100)),
                ("version", models.IntegerField(default=1)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("pending", "Pending"),
                            ("confirmed", "Confirmed"),
                            ("processing", "Processing"),
                            ("completed", "Completed"),
                            ("cancelling", "Cancelling"),
                            ("cancelled", "Cancelled"),
                            ("rejected", "Rejected"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("person_id", models.UUIDField()),
                ("country", models.CharField(max_length=2)),
                ("payment_method", models.CharField(max_length=100)),
                ("currency", models.CharField(max_length=3)),
                ("total_minor", models.BigIntegerField()),
                ("goods_minor", models.BigIntegerField()),
                ("charges_minor", models.BigIntegerField()),
                ("cancelled_minor", models.BigIntegerField(default=0)),
                ("returned_minor", models.BigIntegerField(default=0)),
                ("charges", models.JSONField(default=list)),
                ("lock_saga", models.UUIDField(null=True)),
                (
                    "lock_kind",
                    models.CharField(
                        choices=[
                            ("", "None"),
                            ("fulfil", "Fulfil"),
                            ("cancel", "Cancel"),
                            ("return", "Return"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                ("lock_since", models.DateTimeField(null=True)),
                ("on_hold", models.BooleanField(default=False)),
                ("hold_reason", models.CharField(default="", max_length=200)),
                ("hold_owner", models.CharField(default="", max_length=100)),
                ("needs_attention", models.BooleanField(default=False)),
                ("attention_reason", models.CharField(default="", max_length=200)),
                ("end_code", models.CharField(default="", max_length=100)),
                ("cancel_reason", models.CharField(default="", max_length=500)),
                ("placed_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("moved_at", models.DateTimeField()),
                (
                    "shop",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="orders.shop",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("prefix", models.CharField(max_length=12)),
                ("digest", models.CharField(max_length=64)),
                ("name", models.CharField(default="", max_length=100)),
                ("made_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "shop",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="tokens", to="orders.shop"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OrderLine",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "order_id", "position", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("position", models.IntegerField()),
                ("sku", models.CharField(max_length=100)),
                ("name", models.CharField(max_length=300)),
                ("kind", models.CharField(max_length=10)),
                ("quantity", models.IntegerField()),
                ("unit_price_minor", models.BigIntegerField()),
                ("tax_minor", models.BigIntegerField()),
                ("discount_minor", models.BigIntegerField()),
                ("total_minor", models.BigIntegerField()),
                ("cancelled_quantity", models.IntegerField(default=0)),
                ("returned_quantity", models.IntegerField(default=0)),
                (
                    "order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="orders.order",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "total_minor",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            models.F("quantity"), "*", models.F("unit_price_minor")
                                        ),
                                        "+",
                                        models.F("tax_minor"),
                                    ),
                                    "-",
                                    models.F("discount_minor"),
                                ),
                            )
                        ),
                        name="orders_line_total_is_exact",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("discount_minor__gte", 0),
                            ("quantity__gte", 1),
                            ("tax_minor__gte", 0),
                            ("total_minor__gte", 0),
                            ("unit_price_minor__gte", 0),
                        ),
                        name="orders_line_amounts_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cancelled_quantity__gte", 0),
                            (
                                "quantity__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("cancelled_quantity"), "+", models.F("returned_quantity")
                                ),
                            ),
                            ("returned_quantity__gte", 0),
                        ),
                        name="orders_line_gives_back_at_most_what_was_ordered",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(models.F("shop"), models.F("id"), name="orders_order_page"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                models.F("id"), condition=models.Q(("needs_attention", True)), name="orders_order_attention"
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                fields=("external_reference", "shop"), name="orders_order_once_per_shop_and_reference"
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "draft",
                            "pending",
                            "confirmed",
                            "processing",
                            "completed",
                            "cancelling",
                            "cancelled",
                            "rejected",
                        ],
                    )
                ),
                name="orders_order_state_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total_minor",
                        django.db.models.expressions.CombinedExpression(
                            models.F("goods_minor"), "+", models.F("charges_minor")
                        ),
                    )
                ),
                name="orders_order_total_is_goods_and_charges",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("cancelled_minor__gte", 0), ("returned_minor__gte", 0), ("total_minor__gte", 0)
                ),
                name="orders_order_amounts_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("lock_kind", ""), ("lock_saga__isnull", True), ("lock_since__isnull", True)),
                    models.Q(
                        models.Q(("lock_kind", ""), _negated=True),
                        ("lock_saga__isnull", False),
                        ("lock_since__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="orders_order_lock_names_saga_and_since",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("lock_kind", ""),
                    models.Q(("state__in", ("draft", "rejected", "cancelled")), _negated=True),
                    _connector="OR",
                ),
                name="orders_order_given_back_holds_no_lock",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("on_hold", False), models.Q(("hold_reason", ""), _negated=True), _connector="OR"
                ),
                name="orders_order_hold_has_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="apitoken",
            constraint=models.UniqueConstraint(fields=("prefix",), name="orders_apitoken_prefix_once"),
        ),
    ]
