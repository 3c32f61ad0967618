"""Leave room on the pages of hot rows, so that an update stays on its page and touches no index."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

ROOM = """
ALTER TABLE orders_order SET (fillfactor = 70);
ALTER TABLE orders_parcel SET (fillfactor = 70);
"""
NO_ROOM = """
ALTER TABLE orders_order RESET (fillfactor);
ALTER TABLE orders_parcel RESET (fillfactor);
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("orders", "0001_create_shops_and_orders")]

    operations: ClassVar = [migrations.RunSQL(ROOM, NO_ROOM)]
