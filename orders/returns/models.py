"""Rows of returns and their lines."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from orders.returns import states
from sagas.ids import uuid7


class Return(models.Model):
    """Pieces of one order on their way back, once for each request; `version` is that of its stream.

    It is only ever changed under the lock of its order's row. `unexpected` are {sku, quantity} that came and are
    none of the order. `refund_minor` and `credit_minor` are what its saga paid back and owes, once it is closed.
    """

    State = states.State
    Origin = states.Origin
    MOVES: ClassVar = states.MOVES
    FINAL: ClassVar = states.FINAL

    id = models.UUIDField(primary_key=True, default=uuid7)
    shop = models.ForeignKey("orders.Shop", on_delete=models.PROTECT, related_name="+", db_index=False)
    order = models.ForeignKey(
        "orders.Order", on_delete=models.PROTECT, related_name="returns", db_index=False
    )
    number = models.IntegerField()
    version = models.IntegerField()
    state = models.CharField(max_length=10, choices=states.State)
    origin = models.CharField(max_length=12, choices=states.Origin)
    reason = models.CharField(max_length=500)
    asked_by = models.CharField(max_length=100)
    late = models.BooleanField(default=False)
    shipment_id = models.UUIDField(null=True)
    saga_id = models.UUIDField()
    unexpected = models.JSONField(default=list)
    refund_minor = models.BigIntegerField(default=0)
    credit_minor = models.BigIntegerField(default=0)
    end_code = models.CharField(max_length=100, default="")
    due_at = models.DateTimeField()
    requested_at = models.DateTimeField()
    received_at = models.DateTimeField(null=True)
    inspected_at = models.DateTimeField(null=True)
    moved_at = models.DateTimeField()

    class Meta:
        permissions: ClassVar = [
            ("open_return", "Can open and withdraw returns"),
            ("open_late_return", "Can open returns after the time for them is over"),
            ("receive_return", "Can say what came back"),
            ("inspect_return", "Can accept or reject what came back"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["order", "number"], name="orders_return_once_per_order_and_number"
            ),
            models.UniqueConstraint(fields=["saga_id"], name="orders_return_has_a_saga_of_its_own"),
            models.UniqueConstraint(
                fields=["shipment_id"],
                name="orders_return_once_per_parcel",
                condition=Q(shipment_id__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(state__in=states.State.values), name="orders_return_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(origin__in=states.Origin.values), name="orders_return_origin_is_known"
            ),
            models.CheckConstraint(
                condition=Q(refund_minor__gte=0, credit_minor__gte=0),
                name="orders_return_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(state="closed") | Q(refund_minor=0, credit_minor=0),
                name="orders_return_pays_when_it_is_closed",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("requested", "withdrawn")) | Q(received_at__isnull=False),
                name="orders_return_was_received_before_it_went_on",
            ),
        ]
        indexes: ClassVar = [
            # Pages of one state, by id: ids are made in the order of time.
            models.Index("state", "id", name="orders_return_page"),
        ]

    def __str__(self) -> str:
        return f"return {self.number} of {self.order}"


class ReturnLine(models.Model):
    """One line of the order in one return. `received` is counted once, all of it then accepted or rejected."""

    pk = models.CompositePrimaryKey("back_id", "position")
    back = models.ForeignKey(Return, on_delete=models.PROTECT, related_name="lines", db_index=False)
    position = models.IntegerField()
    sku = models.CharField(max_length=100)
    asked = models.IntegerField()
    received = models.IntegerField(default=0)
    accepted = models.IntegerField(default=0)
    rejected = models.IntegerField(default=0)
    restock = models.IntegerField(default=0)
    reject_reason = models.CharField(max_length=200, default="")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(asked__gte=0, received__gte=0, accepted__gte=0, rejected__gte=0, restock__gte=0),
                name="orders_returnline_pieces_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(accepted=0, rejected=0) | Q(received=F("accepted") + F("rejected")),
                name="orders_returnline_decides_on_what_was_received",
            ),
            models.CheckConstraint(
                condition=Q(restock__lte=F("accepted")), name="orders_returnline_restocks_what_was_accepted"
            ),
            models.CheckConstraint(
                condition=Q(rejected=0) | ~Q(reject_reason=""), name="orders_returnline_rejects_with_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position} {self.sku}"
