"""Rows of fulfilment orders."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from orders.parcelling import states
from sagas.ids import uuid7


class FulfilmentOrder(models.Model):
    """Pieces of one order that go in one parcel, once for each request; `version` is that of its stream.

    Only ever changed under the lock of its order's row. `lines` are {position, sku, kind, quantity}, `pieces` their
    sum; `share_minor` is what it takes of the order's total.
    """

    State = states.State
    MOVES: ClassVar = states.MOVES

    id = models.UUIDField(primary_key=True, default=uuid7)
    shop = models.ForeignKey("orders.Shop", on_delete=models.PROTECT, related_name="+", db_index=False)
    order = models.ForeignKey(
        "orders.Order", on_delete=models.PROTECT, related_name="fulfilment_orders", db_index=False
    )
    number = models.IntegerField()
    version = models.IntegerField(default=1)
    state = models.CharField(max_length=9, choices=states.State)
    currency = models.CharField(max_length=3)
    lines = models.JSONField()
    pieces = models.BigIntegerField()
    share_minor = models.BigIntegerField()
    saga_id = models.UUIDField()
    code = models.CharField(max_length=100, default="")
    asked_by = models.CharField(max_length=100)
    reason = models.CharField(max_length=500)
    asked_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)
    moved_at = models.DateTimeField()

    class Meta:
        permissions: ClassVar = [("ship_parcel", "Can ask for parcels of an order")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "number"], name="orders_fulfilmentorder_once_per_number"
            ),
            models.UniqueConstraint(fields=["saga_id"], name="orders_fulfilmentorder_once_per_saga"),
            models.CheckConstraint(
                condition=Q(state__in=states.State.values), name="orders_fulfilmentorder_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(pieces__gt=0, share_minor__gte=0), name="orders_fulfilmentorder_has_pieces"
            ),
            models.CheckConstraint(
                condition=Q(state="ready") ^ Q(ready_at__isnull=True),
                name="orders_fulfilmentorder_ready_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"parcel {self.number} of order {self.order_id}"
