"""What Django cannot say: room on the page for updates."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

ROOM = """
ALTER TABLE shipping_shipment SET (fillfactor = 70);
ALTER TABLE shipping_shipmentline SET (fillfactor = 90);
"""
NO_ROOM = """
ALTER TABLE shipping_shipment RESET (fillfactor);
ALTER TABLE shipping_shipmentline RESET (fillfactor);
"""


class Migration(migrations.Migration):
    """Reversible as a whole."""

    dependencies: ClassVar = [("shipping", "0001_create_shipments")]

    operations: ClassVar = [migrations.RunSQL(ROOM, NO_ROOM)]
