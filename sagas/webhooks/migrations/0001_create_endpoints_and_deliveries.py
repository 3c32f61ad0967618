"""Endpoints of shops and the deliveries to them. Reversible; new tables only, so nothing waits for it."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import sagas.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("shop_id", models.UUIDField()),
                ("url", models.CharField(max_length=2000)),
                ("description", models.CharField(default="", max_length=200)),
                (
                    "event_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100), default=list, size=None
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("enabled", "Enabled"), ("disabled", "Disabled")],
                        default="enabled",
                        max_length=8,
                    ),
                ),
                ("state_code", models.CharField(default="", max_length=100)),
                ("state_since", models.DateTimeField()),
                ("secret_number", models.IntegerField(default=1)),
                ("secret_key", models.CharField(max_length=16)),
                ("previous_number", models.IntegerField(null=True)),
                ("previous_key", models.CharField(default="", max_length=16)),
                ("previous_until", models.DateTimeField(null=True)),
                ("asked_era", models.IntegerField(default=0)),
                ("asked_xid", models.BigIntegerField(default=0)),
                ("failures", models.IntegerField(default=0)),
                ("failing_since", models.DateTimeField(null=True)),
                ("rest_until", models.DateTimeField(null=True)),
                ("made_at", models.DateTimeField()),
                ("deleted_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "webhook endpoint",
                "db_table": "webhooks_endpoint",
                "indexes": [
                    models.Index(
                        models.F("shop_id"),
                        models.F("id"),
                        condition=models.Q(("deleted_at__isnull", True)),
                        name="webhooks_endpoint_shop",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("deleted_at__isnull", True), ("state", "disabled"), _connector="OR"
                        ),
                        name="webhooks_endpoint_deleted_gets_nothing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("failures", 0), ("failing_since__isnull", False), _connector="XOR"
                        ),
                        name="webhooks_endpoint_failing_has_a_since",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("previous_number__isnull", True),
                            ("previous_until__isnull", False),
                            _connector="XOR",
                        ),
                        name="webhooks_endpoint_previous_secret_ends",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookDelivery",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("stream", models.UUIDField()),
                ("version", models.IntegerField()),
                ("type", models.CharField(max_length=100)),
                ("event_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("sending", "Sending"),
                            ("retrying", "Retrying"),
                            ("delivered", "Delivered"),
                            ("exhausted", "Exhausted"),
                        ],
                        default="queued",
                        max_length=9,
                    ),
                ),
                ("attempt", models.IntegerField(default=0)),
                ("failed", models.SmallIntegerField(default=0)),
                ("outcome", models.CharField(default="", max_length=20)),
                ("status", models.SmallIntegerField(null=True)),
                ("history", models.JSONField(default=list)),
                ("wake_at", models.DateTimeField(null=True)),
                ("made_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="webhooks.webhookendpoint",
                    ),
                ),
            ],
            options={
                "verbose_name": "webhook delivery",
                "verbose_name_plural": "webhook deliveries",
                "db_table": "webhooks_delivery",
                "indexes": [
                    models.Index(fields=["endpoint", "-event_at", "-id"], name="webhooks_delivery_list"),
                    models.Index(
                        models.F("endpoint"),
                        models.F("wake_at"),
                        models.F("id"),
                        condition=models.Q(("wake_at__isnull", False)),
                        name="webhooks_delivery_open",
                    ),
                    models.Index(
                        models.F("endpoint"),
                        condition=models.Q(("state", "sending")),
                        name="webhooks_delivery_sending",
                    ),
                    models.Index(
                        models.F("wake_at"),
                        condition=models.Q(("wake_at__isnull", False)),
                        name="webhooks_delivery_due",
                    ),
                    models.Index(
                        models.F("finished_at"),
                        condition=models.Q(("finished_at__isnull", False)),
                        name="webhooks_delivery_done",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("endpoint", "stream", "version"),
                        name="webhooks_delivery_once_per_endpoint_and_event",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ("queued", "sending", "retrying")),
                            ("wake_at__isnull", True),
                            _connector="XOR",
                        ),
                        name="webhooks_delivery_wakes_while_open",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ("delivered", "exhausted")),
                            ("finished_at__isnull", True),
                            _connector="XOR",
                        ),
                        name="webhooks_delivery_finished_exactly_when_final",
                    ),
                ],
            },
        ),
    ]
