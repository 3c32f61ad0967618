"""Index people by their e-mail, so that a shop finds a customer's orders by it."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Lower


class Migration(migrations.Migration):
    """Reversible. Built beside whatever is going on, so it runs outside of a transaction and alone."""

    atomic = False

    dependencies: ClassVar = [("sagas", "0004_add_projection_slots")]

    operations: ClassVar = [
        AddIndexConcurrently(
            "person",
            models.Index(
                Lower("email"),
                models.F("shop_id"),
                models.F("id"),
                condition=models.Q(("email", ""), _negated=True),
                name="sagas_person_email",
            ),
        ),
    ]
