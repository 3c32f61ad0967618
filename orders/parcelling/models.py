"""Rows of fulfilment orders."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from orders.parcelling import states
from sagas.ids import uuid7


class FulfilmentOrder(models.Model):
    """Pieces of one order that go in one parcel, or that nobody is to ship; `version` is that of its stream.

    Pieces that are cancelled before they were in a parcel are claimed as well, so no piece is ever in two. Only ever
    changed under the lock of its order's row. `lines` are {position, sku, kind, quantity}, `pieces` their sum;
    `share_minor` is what it takes of the order's total.
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
    state = models.CharField(max_length=10, choices=states.State)
    currency = models.CharField(max_length=3)
    lines = models.JSONField()
    pieces = models.BigIntegerField()
    share_minor = models.BigIntegerField()
    saga_id = models.UUIDField()
    cancel_saga_id = models.UUIDField(null=True)  #: The last saga that was to cancel it.
    shipment_id = models.UUIDField(null=True)  #: Its parcel, once it is paid for.
    code = models.CharField(max_length=100, default="")
    asked_by = models.CharField(max_length=100)
    reason = models.CharField(max_length=500)
    asked_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)  #: Since when its share is ours.
    moved_at = models.DateTimeField()

    class Meta:
        permissions: ClassVar = [("ship_parcel", "Can ask for parcels of an order, and cancel them")]
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
                condition=(~Q(state="ready") | Q(ready_at__isnull=False))
                & (~Q(state__in=["claimed", "given_up"]) | Q(ready_at__isnull=True)),
                name="orders_fulfilmentorder_ready_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"parcel {self.number} of order {self.order_id}"
