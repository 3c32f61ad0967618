"""Find the orders of a person, before the person is erased. The id never changes, so updates stay HOT."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Reversible. Writers go on meanwhile."""

    atomic = False

    dependencies: ClassVar = [("orders", "0003_keep_imports_and_credit_notes")]

    operations: ClassVar = [
        AddIndexConcurrently("order", models.Index("person_id", name="orders_order_person")),
    ]
