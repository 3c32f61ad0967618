"""Look at every booked line once, while booking goes on."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Takes no lock that a reader or a writer would notice."""

    dependencies: ClassVar = [("payments", "0005_reconcile_with_the_provider")]

    operations: ClassVar = [
        ValidateConstraint(model_name="journalline", name="payments_journalline_known_account")
    ]
