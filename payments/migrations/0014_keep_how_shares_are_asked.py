"""A share is asked for again as it was asked for, whatever is set since. A column with a constant default: no rewrite."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds whether a share's capture was to end the hold."""

    dependencies: ClassVar = [("payments", "0012_validate_captured_stays")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="capture",
            name="final",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
