"""Look at the payments and the journal that were there before the constraints, while others write."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Takes no lock that a reader or a writer would notice."""

    atomic = False

    dependencies: ClassVar = [("payments", "0013_make_disputes_whole")]

    operations: ClassVar = [
        ValidateConstraint(model_name="payment", name="payments_payment_banks_take_at_most_captured"),
        ValidateConstraint(model_name="journalline", name="payments_journalline_known_account"),
    ]
