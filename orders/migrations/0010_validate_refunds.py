"""Look at every order and line once, while orders go on."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    """Takes no lock that a reader or a writer would notice."""

    dependencies: ClassVar = [("orders", "0009_keep_refund_requests")]

    operations: ClassVar = [
        ValidateConstraint(model_name="order", name="orders_order_refunded_at_most_total"),
        ValidateConstraint(model_name="orderline", name="orders_line_refunds_no_piece_twice"),
    ]
