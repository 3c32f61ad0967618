"""A share is asked for again as it was asked for, whatever is set since. A column with a constant default: no rewrite."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds whether a share's capture was to end the hold, and who may settle one by their word."""

    dependencies: ClassVar = [("payments", "0014_validate_disputes")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="capture",
            name="final",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterModelOptions(
            name="capture",
            options={"permissions": [("settle_share", "Can settle by their word what became of a share")]},
        ),
    ]
