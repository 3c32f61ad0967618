"""An order may have several live parcels, each with a name of its own. Built while others write."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

LIVE = "state NOT IN ('voided', 'label_failed')"
WHOLE = f"""
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS shipping_shipment_one_live_whole
    ON shipping_shipment (order_id) WHERE {LIVE} AND part_id IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS shipping_shipment_one_live_per_order;
ALTER INDEX shipping_shipment_one_live_whole RENAME TO shipping_shipment_one_live_per_order;
"""
ANY = f"""
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS shipping_shipment_one_live_any
    ON shipping_shipment (order_id) WHERE {LIVE};
DROP INDEX CONCURRENTLY IF EXISTS shipping_shipment_one_live_per_order;
ALTER INDEX shipping_shipment_one_live_any RENAME TO shipping_shipment_one_live_per_order;
"""
PART = f"""
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS shipping_shipment_one_live_per_part
    ON shipping_shipment (part_id) WHERE {LIVE} AND part_id IS NOT NULL;
"""


def apart(statements: str) -> list[str]:
    """One by one: several in one message would be one transaction."""
    return [statement.strip() for statement in statements.split(";") if statement.strip()]


def live() -> models.Q:
    return models.Q(("state__in", ("voided", "label_failed")), _negated=True)


class Migration(migrations.Migration):
    """Reversible while no order has several live parcels. At every moment one of the two indexes holds."""

    atomic = False

    dependencies: ClassVar = [("shipping", "0006_keep_until_when_to_correct")]

    operations: ClassVar = [
        migrations.AddField("shipment", "part_id", models.UUIDField(null=True)),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(apart(WHOLE), apart(ANY)),
                migrations.RunSQL(
                    apart(PART), "DROP INDEX CONCURRENTLY IF EXISTS shipping_shipment_one_live_per_part"
                ),
            ],
            state_operations=[
                migrations.RemoveConstraint("shipment", "shipping_shipment_one_live_per_order"),
                migrations.AddConstraint(
                    "shipment",
                    models.UniqueConstraint(
                        condition=models.Q(live(), ("part_id", None)),
                        fields=("order_id",),
                        name="shipping_shipment_one_live_per_order",
                    ),
                ),
                migrations.AddConstraint(
                    "shipment",
                    models.UniqueConstraint(
                        condition=models.Q(live(), ("part_id__isnull", False)),
                        fields=("part_id",),
                        name="shipping_shipment_one_live_per_part",
                    ),
                ),
            ],
        ),
    ]
