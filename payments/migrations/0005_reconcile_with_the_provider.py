"""Runs, cases and settlements; accounts for fees and payouts. Locks the journal only for a moment."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

import sagas.ids


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0004_wait_for_customers"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReconciliationRun",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("since", models.DateTimeField(null=True)),
                ("until", models.DateTimeField(null=True)),
                (
                    "phase",
                    models.CharField(
                        choices=[
                            ("intents", "Intents"),
                            ("refunds", "Refunds"),
                            ("payments", "Payments"),
                            ("given_back", "Given Back"),
                            ("cases", "Cases"),
                            ("done", "Done"),
                        ],
                        default="intents",
                        max_length=10,
                    ),
                ),
                ("cursor", models.CharField(default="", max_length=200)),
                (
                    "result",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("clean", "Clean"),
                            ("differences", "Differences"),
                            ("stopped", "Stopped"),
                        ],
                        default="running",
                        max_length=11,
                    ),
                ),
                ("trouble", models.CharField(default="", max_length=500)),
                ("compared", models.BigIntegerField(default=0)),
                ("matched", models.BigIntegerField(default=0)),
                ("in_flight", models.BigIntegerField(default=0)),
                ("idle", models.BigIntegerField(default=0)),
                ("differences", models.BigIntegerField(default=0)),
                ("totals", models.JSONField(default=dict)),
                ("started_at", models.DateTimeField()),
                ("moved_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Case",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("unknown_to_us", "Unknown To Us"),
                            ("missing_at_provider", "Missing At Provider"),
                            ("amount_differs", "Amount Differs"),
                            ("currency_differs", "Currency Differs"),
                            ("state_differs", "State Differs"),
                            ("held_there_but_ended_here", "Held There But Ended Here"),
                            ("duplicate_hold", "Duplicate Hold"),
                            ("duplicate_capture", "Duplicate Capture"),
                            ("refund_differs", "Refund Differs"),
                            ("duplicate_refund", "Duplicate Refund"),
                            ("settlement_unknown_line", "Settlement Unknown Line"),
                            ("settlement_missing_line", "Settlement Missing Line"),
                            ("settlement_amount_differs", "Settlement Amount Differs"),
                            ("settlement_fee_differs", "Settlement Fee Differs"),
                            ("settlement_doubled_line", "Settlement Doubled Line"),
                        ],
                        max_length=30,
                    ),
                ),
                (
                    "about",
                    models.CharField(
                        choices=[("payment", "Payment"), ("refund", "Refund"), ("settlement", "Settlement")],
                        max_length=10,
                    ),
                ),
                ("object_id", models.CharField(max_length=200)),
                ("shop_id", models.UUIDField(null=True)),
                ("order_id", models.UUIDField(null=True)),
                ("payment_id", models.UUIDField(null=True)),
                ("refund_id", models.UUIDField(null=True)),
                ("saga_id", models.UUIDField(null=True)),
                ("reference", models.CharField(default="", max_length=200)),
                ("ours", models.JSONField(default=dict)),
                ("theirs", models.JSONField(default=dict)),
                ("at_stake_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("resolved", "Resolved"), ("closed", "Closed")],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("first_seen", models.DateTimeField()),
                ("last_seen", models.DateTimeField()),
                (
                    "how",
                    models.CharField(
                        choices=[
                            ("corrected_there", "Corrected There"),
                            ("corrected_here", "Corrected Here"),
                            ("explained", "Explained"),
                            ("written_off", "Written Off"),
                        ],
                        default="",
                        max_length=15,
                    ),
                ),
                ("resolved_by", models.CharField(default="", max_length=100)),
                ("reason", models.CharField(default="", max_length=500)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="payments.reconciliationrun",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SeenObject",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "run", "object_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("object_id", models.CharField(max_length=100)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="payments.reconciliationrun",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SettlementFile",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("name", models.CharField(max_length=200)),
                ("lines", models.IntegerField()),
                ("stored", models.IntegerField(default=0)),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                ("imported_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SettlementLine",
            fields=[
                ("id", models.UUIDField(default=sagas.ids.uuid7, primary_key=True, serialize=False)),
                ("line", models.IntegerField()),
                ("payout_id", models.CharField(max_length=100)),
                ("object_id", models.CharField(max_length=100)),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("capture", "Capture"),
                            ("refund", "Refund"),
                            ("fee", "Fee"),
                            ("dispute", "Dispute"),
                            ("adjustment", "Adjustment"),
                        ],
                        max_length=10,
                    ),
                ),
                ("gross_minor", models.BigIntegerField()),
                ("fee_minor", models.BigIntegerField()),
                ("net_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("day", models.DateField()),
                (
                    "match",
                    models.CharField(
                        choices=[("matched", "Matched"), ("unknown", "Unknown"), ("doubled", "Doubled")],
                        max_length=8,
                    ),
                ),
                ("identity", models.CharField(max_length=300)),
                (
                    "file",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="payments.settlementfile",
                    ),
                ),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="journalline",
            name="payments_journalline_known_account",
        ),
        migrations.AlterField(
            model_name="journalentry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("authorization", "Authorization"),
                    ("release", "Release"),
                    ("capture", "Capture"),
                    ("refund_promised", "Refund Promised"),
                    ("refund_paid", "Refund Paid"),
                    ("credit", "Credit"),
                    ("refund_returned", "Refund Returned"),
                    ("capture_reversed", "Capture Reversed"),
                    ("settlement", "Settlement"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="journalentry",
            name="shop_id",
            field=models.UUIDField(null=True),
        ),
        migrations.AlterField(
            model_name="journalline",
            name="account",
            field=models.CharField(
                choices=[
                    ("holds", "Holds"),
                    ("holds_contra", "Holds Contra"),
                    ("provider_clearing", "Provider Clearing"),
                    ("sales", "Sales"),
                    ("refunds", "Refunds"),
                    ("refunds_payable", "Refunds Payable"),
                    ("customer_credit", "Customer Credit"),
                    ("receivable", "Receivable"),
                    ("provider_settled", "Provider Settled"),
                    ("provider_fees", "Provider Fees"),
                    ("bank", "Bank"),
                ],
                max_length=20,
            ),
        ),
        # Checked at once for what is written from now on; the next migration looks at what was there.
        AddConstraintNotValid(
            model_name="journalline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "account__in",
                        [
                            "holds",
                            "holds_contra",
                            "provider_clearing",
                            "sales",
                            "refunds",
                            "refunds_payable",
                            "customer_credit",
                            "receivable",
                            "provider_settled",
                            "provider_fees",
                            "bank",
                        ],
                    )
                ),
                name="payments_journalline_known_account",
            ),
        ),
        migrations.AddIndex(
            model_name="reconciliationrun",
            index=models.Index(models.F("started_at"), name="payments_run_started"),
        ),
        migrations.AddIndex(
            model_name="case",
            index=models.Index(models.F("object_id"), name="payments_case_object"),
        ),
        migrations.AddIndex(
            model_name="case",
            index=models.Index(
                models.F("state"), models.F("kind"), models.F("id"), name="payments_case_listed"
            ),
        ),
        migrations.AddConstraint(
            model_name="case",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("kind", "object_id"),
                name="payments_case_open_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="case",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "open"), ("ended_at__isnull", False), _connector="XOR"),
                name="payments_case_ended_when_not_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="case",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "resolved"), _negated=True),
                    models.Q(
                        models.Q(("how", ""), _negated=True),
                        models.Q(("resolved_by", ""), _negated=True),
                        models.Q(("reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="payments_case_resolved_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="case",
            constraint=models.CheckConstraint(
                condition=models.Q(("at_stake_minor__gte", 0)), name="payments_case_stake_not_negative"
            ),
        ),
        migrations.AddIndex(
            model_name="settlementline",
            index=models.Index(models.F("object_id"), name="payments_settlement_object"),
        ),
        migrations.AddIndex(
            model_name="settlementline",
            index=models.Index(
                models.F("id"), condition=models.Q(("match", "unknown")), name="payments_settlement_unknown"
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementline",
            constraint=models.UniqueConstraint(
                fields=("file", "line"), name="payments_settlementline_once_per_file"
            ),
        ),
        migrations.AddConstraint(
            model_name="settlementline",
            constraint=models.UniqueConstraint(
                condition=models.Q(("match", "doubled"), _negated=True),
                fields=("identity",),
                name="payments_settlementline_settled_once",
            ),
        ),
    ]
