"""Add the read side of orders: three empty tables in two slots each. Their projection fills them from the log."""

from __future__ import annotations

from typing import ClassVar

import django.contrib.postgres.fields
from django.db import migrations, models

VIEW = """
CREATE TABLE orders_orderview (
  slot smallint NOT NULL, order_id uuid NOT NULL, shop_id uuid, version integer NOT NULL,
  external_reference varchar(100) COLLATE "C" NOT NULL, person_id uuid, state varchar(10) NOT NULL,
  on_hold boolean NOT NULL, hold_reason varchar(200) NOT NULL, needs_attention boolean NOT NULL,
  attention_reason varchar(200) NOT NULL, end_code varchar(100) NOT NULL, currency varchar(3) NOT NULL,
  total_minor bigint NOT NULL, goods_minor bigint NOT NULL, charges_minor bigint NOT NULL,
  cancelled_minor bigint NOT NULL, returned_minor bigint NOT NULL, country varchar(2) NOT NULL,
  fulfilment varchar(20) NOT NULL, pieces integer NOT NULL, skus text[] NOT NULL, charges jsonb NOT NULL,
  placed_at timestamptz, placed_on date, received_at timestamptz, moved_at timestamptz, confirmed_at timestamptz, ended_at timestamptz,
  saga_id uuid, saga_state varchar(20) NOT NULL, progress smallint NOT NULL,
  payment_id uuid, payment_version integer NOT NULL, payment_state varchar(20) NOT NULL,
  authorized_minor bigint NOT NULL, captured_minor bigint NOT NULL, refunded_minor bigint NOT NULL,
  reservation_id uuid, stock_version integer NOT NULL, stock_state varchar(20) NOT NULL,
  shipment_id uuid, shipment_version integer NOT NULL, shipment_state varchar(20) NOT NULL,
  tracking varchar(200) NOT NULL, handed_over_at timestamptz, delivered_at timestamptz,
  PRIMARY KEY (slot, order_id)
) PARTITION BY LIST (slot);
CREATE TABLE orders_orderview_1 PARTITION OF orders_orderview FOR VALUES IN (1) WITH (fillfactor = 70);
CREATE TABLE orders_orderview_2 PARTITION OF orders_orderview FOR VALUES IN (2) WITH (fillfactor = 70);

CREATE INDEX orders_view_page ON orders_orderview (shop_id, order_id);
CREATE INDEX orders_view_state ON orders_orderview (shop_id, state, order_id);
CREATE INDEX orders_view_country ON orders_orderview (shop_id, country, order_id);
CREATE INDEX orders_view_placed ON orders_orderview (shop_id, placed_at, order_id);
CREATE INDEX orders_view_total ON orders_orderview (shop_id, total_minor, order_id);
CREATE INDEX orders_view_reference ON orders_orderview (shop_id, external_reference, order_id);
CREATE INDEX orders_view_person ON orders_orderview (person_id, order_id);
CREATE INDEX orders_view_failure ON orders_orderview (shop_id, end_code, order_id) WHERE NOT (end_code = '');
CREATE INDEX orders_view_attention ON orders_orderview (shop_id, order_id) WHERE needs_attention;
"""

SUMMARY = """
CREATE TABLE orders_ordersummary (
  slot smallint NOT NULL, shop_id uuid NOT NULL, day date NOT NULL, country varchar(2) NOT NULL,
  status varchar(10) NOT NULL, currency varchar(3) NOT NULL, orders integer NOT NULL, total_minor bigint NOT NULL,
  captured_minor bigint NOT NULL, refunded_minor bigint NOT NULL,
  PRIMARY KEY (slot, shop_id, day, country, status, currency)
) PARTITION BY LIST (slot);
CREATE TABLE orders_ordersummary_1 PARTITION OF orders_ordersummary FOR VALUES IN (1) WITH (fillfactor = 50);
CREATE TABLE orders_ordersummary_2 PARTITION OF orders_ordersummary FOR VALUES IN (2) WITH (fillfactor = 50);
"""

SKUS = """
CREATE TABLE orders_orderviewsku (
  slot smallint NOT NULL, shop_id uuid NOT NULL, sku varchar(100) COLLATE "C" NOT NULL, order_id uuid NOT NULL,
  PRIMARY KEY (slot, shop_id, sku, order_id)
) PARTITION BY LIST (slot);
CREATE TABLE orders_orderviewsku_1 PARTITION OF orders_orderviewsku FOR VALUES IN (1);
CREATE TABLE orders_orderviewsku_2 PARTITION OF orders_orderviewsku FOR VALUES IN (2);
"""

# The checkpoint goes with them, so that they are filled from the beginning of the log when they come back.
NONE = """
DROP TABLE orders_orderview;
DROP TABLE orders_ordersummary;
DROP TABLE orders_orderviewsku;
DELETE FROM sagas_checkpoint WHERE subscription = 'orders.view';
DELETE FROM sagas_projection WHERE name = 'orders.view';
"""


class Migration(migrations.Migration):
    """Reversible: what is dropped is made again from the log."""

    dependencies: ClassVar = [
        ("orders", "0006_add_snapshots"),
        ("sagas", "0004_add_projection_slots"),
    ]

    operations: ClassVar = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(VIEW + SUMMARY + SKUS, NONE)],
            state_operations=[
                migrations.CreateModel(
                    name="OrderSummary",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "slot",
                                "shop_id",
                                "day",
                                "country",
                                "status",
                                "currency",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("slot", models.SmallIntegerField()),
                        ("shop_id", models.UUIDField()),
                        ("day", models.DateField()),
                        ("country", models.CharField(max_length=2)),
                        ("status", models.CharField(max_length=10)),
                        ("currency", models.CharField(max_length=3)),
                        ("orders", models.IntegerField()),
                        ("total_minor", models.BigIntegerField()),
                        ("captured_minor", models.BigIntegerField()),
                        ("refunded_minor", models.BigIntegerField()),
                    ],
                ),
                migrations.CreateModel(
                    name="OrderViewSku",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "slot",
                                "shop_id",
                                "sku",
                                "order_id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("slot", models.SmallIntegerField()),
                        ("shop_id", models.UUIDField()),
                        ("sku", models.CharField(db_collation="C", max_length=100)),
                        ("order_id", models.UUIDField()),
                    ],
                ),
                migrations.CreateModel(
                    name="OrderView",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "slot",
                                "order_id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("slot", models.SmallIntegerField()),
                        ("order_id", models.UUIDField()),
                        ("shop_id", models.UUIDField(null=True)),
                        ("version", models.IntegerField()),
                        ("external_reference", models.CharField(db_collation="C", max_length=100)),
                        ("person_id", models.UUIDField(null=True)),
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
                                max_length=10,
                            ),
                        ),
                        ("on_hold", models.BooleanField()),
                        ("hold_reason", models.CharField(max_length=200)),
                        ("needs_attention", models.BooleanField()),
                        ("attention_reason", models.CharField(max_length=200)),
                        ("end_code", models.CharField(max_length=100)),
                        ("currency", models.CharField(max_length=3)),
                        ("total_minor", models.BigIntegerField()),
                        ("goods_minor", models.BigIntegerField()),
                        ("charges_minor", models.BigIntegerField()),
                        ("cancelled_minor", models.BigIntegerField()),
                        ("returned_minor", models.BigIntegerField()),
                        ("country", models.CharField(max_length=2)),
                        ("fulfilment", models.CharField(max_length=20)),
                        ("pieces", models.IntegerField()),
                        (
                            "skus",
                            django.contrib.postgres.fields.ArrayField(
                                base_field=models.TextField(), size=None
                            ),
                        ),
                        ("charges", models.JSONField()),
                        ("placed_at", models.DateTimeField(null=True)),
                        ("placed_on", models.DateField(null=True)),
                        ("received_at", models.DateTimeField(null=True)),
                        ("moved_at", models.DateTimeField(null=True)),
                        ("confirmed_at", models.DateTimeField(null=True)),
                        ("ended_at", models.DateTimeField(null=True)),
                        ("saga_id", models.UUIDField(null=True)),
                        ("saga_state", models.CharField(max_length=20)),
                        ("progress", models.SmallIntegerField()),
                        ("payment_id", models.UUIDField(null=True)),
                        ("payment_version", models.IntegerField()),
                        ("payment_state", models.CharField(max_length=20)),
                        ("authorized_minor", models.BigIntegerField()),
                        ("captured_minor", models.BigIntegerField()),
                        ("refunded_minor", models.BigIntegerField()),
                        ("reservation_id", models.UUIDField(null=True)),
                        ("stock_version", models.IntegerField()),
                        ("stock_state", models.CharField(max_length=20)),
                        ("shipment_id", models.UUIDField(null=True)),
                        ("shipment_version", models.IntegerField()),
                        ("shipment_state", models.CharField(max_length=20)),
                        ("tracking", models.CharField(max_length=200)),
                        ("handed_over_at", models.DateTimeField(null=True)),
                        ("delivered_at", models.DateTimeField(null=True)),
                    ],
                    options={
                        "indexes": [
                            models.Index(models.F("shop_id"), models.F("order_id"), name="orders_view_page"),
                            models.Index(
                                models.F("shop_id"),
                                models.F("state"),
                                models.F("order_id"),
                                name="orders_view_state",
                            ),
                            models.Index(
                                models.F("shop_id"),
                                models.F("country"),
                                models.F("order_id"),
                                name="orders_view_country",
                            ),
                            models.Index(
                                models.F("shop_id"),
                                models.F("placed_at"),
                                models.F("order_id"),
                                name="orders_view_placed",
                            ),
                            models.Index(
                                models.F("shop_id"),
                                models.F("total_minor"),
                                models.F("order_id"),
                                name="orders_view_total",
                            ),
                            models.Index(
                                models.F("shop_id"),
                                models.F("external_reference"),
                                models.F("order_id"),
                                name="orders_view_reference",
                            ),
                            models.Index(
                                models.F("person_id"), models.F("order_id"), name="orders_view_person"
                            ),
                            models.Index(
                                models.F("shop_id"),
                                models.F("end_code"),
                                models.F("order_id"),
                                condition=models.Q(("end_code", ""), _negated=True),
                                name="orders_view_failure",
                            ),
                            models.Index(
                                models.F("shop_id"),
                                models.F("order_id"),
                                condition=models.Q(("needs_attention", True)),
                                name="orders_view_attention",
                            ),
                        ],
                    },
                ),
            ],
        ),
    ]
