"""Orders that are shipped in several parcels, each of which takes its share of the money."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible; a column with a constant default is added without rewriting the table."""

    dependencies: ClassVar = [("orders", "0011_add_returns")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="order", name="in_parcels", field=models.BooleanField(db_default=False, default=False)
        )
    ]
