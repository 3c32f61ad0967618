"""Look at every payment and refund once, and index what is owed, while money goes on moving."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    """Takes no lock that a reader or a writer would notice."""

    atomic = False

    dependencies: ClassVar = [("payments", "0008_keep_what_was_repaid")]

    operations: ClassVar = [
        ValidateConstraint(model_name="payment", name="payments_payment_repaid_at_most_captured"),
        ValidateConstraint(model_name="refund", name="payments_refund_repaid_says_by_whom_and_how"),
        AddIndexConcurrently(
            "refund",
            models.Index("id", condition=models.Q(state="failed"), name="payments_refund_failed"),
        ),
    ]
