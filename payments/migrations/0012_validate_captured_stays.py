"""Look at the payments that were there before the constraint, while others write."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Takes no lock that a reader or a writer would notice."""

    dependencies: ClassVar = [("payments", "0011_capture_in_shares")]

    operations: ClassVar = [
        ValidateConstraint(model_name="payment", name="payments_payment_captured_stays_captured")
    ]
