"""An order may have several live parcels, each with a name of its own. Built while others write."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

LIVE = "state NOT IN ('voided', 'label_failed')"
COLUMN = "ALTER TABLE shipping_shipment ADD COLUMN IF NOT EXISTS part_id uuid"
NO_COLUMN = "ALTER TABLE shipping_shipment DROP COLUMN IF EXISTS part_id"


def build(name: str, on: str) -> list[str]:
    """An index built while others write, each statement alone. What an earlier try has left is not valid: begin anew."""
    return [f"DROP INDEX CONCURRENTLY IF EXISTS {name}", f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {on}"]


def swap(name: str) -> str:
    """Let it take the place of the other at once: several statements in one message are one transaction."""
    return (
        "DROP INDEX IF EXISTS shipping_shipment_one_live_per_order;"
        f"ALTER INDEX {name} RENAME TO shipping_shipment_one_live_per_order"
    )


WHOLE = [
    *build(
        "shipping_shipment_one_live_whole", f"shipping_shipment (order_id) WHERE {LIVE} AND part_id IS NULL"
    ),
    swap("shipping_shipment_one_live_whole"),
]
ANY = [
    *build("shipping_shipment_one_live_any", f"shipping_shipment (order_id) WHERE {LIVE}"),
    swap("shipping_shipment_one_live_any"),
]
PART = build(
    "shipping_shipment_one_live_per_part",
    f"shipping_shipment (part_id) WHERE {LIVE} AND part_id IS NOT NULL",
)


def live() -> models.Q:
    return models.Q(("state__in", ("voided", "label_failed")), _negated=True)


class Migration(migrations.Migration):
    """Reversible while no order has several live parcels. At every moment one of the two indexes holds.

    Not in one transaction, so each statement may be repeated, whatever a try before it has left.
    """

    atomic = False

    dependencies: ClassVar = [("shipping", "0006_keep_until_when_to_correct")]

    operations: ClassVar = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(COLUMN, NO_COLUMN),
                migrations.RunSQL(WHOLE, ANY),
                migrations.RunSQL(
                    PART, "DROP INDEX CONCURRENTLY IF EXISTS shipping_shipment_one_live_per_part"
                ),
            ],
            state_operations=[
                migrations.AddField("shipment", "part_id", models.UUIDField(null=True)),
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
