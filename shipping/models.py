"""Rows of shipping: a parcel, its label at the carrier, and what is in it. No street address is kept here."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from sagas.ids import uuid7

SKU_LENGTH = 100
NOT_LIVE = ("voided", "label_failed")
#: The carrier has it, or had it.
LEFT = ("handed_over", "delivered", "returned", "lost")


class Shipment(models.Model):
    """One parcel of one order: its only one, or one of several.

    Its address is read from the person when the carrier is asked.
    """

    class State(models.TextChoices):
        LABEL_PENDING = "label_pending"  #: The carrier is about to be asked, or may be asked again.
        UNKNOWN = "unknown"  #: The carrier may have sold a label. Left only by asking it.
        LABEL_BOUGHT = "label_bought"  #: There is a paid label; the parcel is in the house.
        ADDRESS_WRONG = (
            "address_wrong"  #: No label; a person has until `correct_until` to correct the address.
        )
        LABEL_FAILED = "label_failed"  #: The carrier will not take it. Final, unless a late label shows up.
        VOID_PENDING = "void_pending"  #: The label is being given back; the carrier decides who was first.
        VOIDED = "voided"  #: No label, and none may be bought. Final, unless a late label shows up.
        HANDED_OVER = "handed_over"  #: The carrier has it. From here on giving back is a return.
        DELIVERED = "delivered"  #: The customer has it. Final.
        RETURNED = "returned"  #: The carrier brought it back to us. Final.
        LOST = "lost"  #: The carrier does not know where it is. It may turn up.

    MOVES: ClassVar[dict[str, set[str]]] = {
        State.LABEL_PENDING: {
            State.LABEL_BOUGHT, State.LABEL_FAILED, State.ADDRESS_WRONG, State.UNKNOWN, State.VOID_PENDING,
            State.VOIDED,
        },
        State.UNKNOWN: {
            State.LABEL_PENDING, State.LABEL_BOUGHT, State.LABEL_FAILED, State.ADDRESS_WRONG, State.VOID_PENDING,
        },
        State.ADDRESS_WRONG: {State.LABEL_PENDING, State.LABEL_BOUGHT, State.LABEL_FAILED, State.VOID_PENDING},
        State.LABEL_BOUGHT: {State.VOID_PENDING, State.HANDED_OVER},
        State.VOID_PENDING: {State.VOIDED, State.HANDED_OVER},
        State.HANDED_OVER: {State.DELIVERED, State.RETURNED, State.LOST},
        State.LOST: {State.HANDED_OVER, State.DELIVERED, State.RETURNED},
        State.VOIDED: {State.LABEL_BOUGHT},
        State.LABEL_FAILED: {State.LABEL_BOUGHT},
        State.DELIVERED: set(),
        State.RETURNED: set(),
    }  # fmt: skip

    id = models.UUIDField(primary_key=True, default=uuid7)
    key = models.UUIDField()  #: The booking step's key; a cancellation that comes first takes its place.
    keys = ArrayField(models.UUIDField(), default=list)  #: Every key the carrier was asked with.
    shop_id = models.UUIDField()
    order_id = models.UUIDField()
    part_id = models.UUIDField(null=True)  #: Of an order in several parcels, which one; null: all of it.
    reference = models.CharField(max_length=200)
    location_id = models.UUIDField(null=True)  #: Where it leaves from; null when the goods come from several.
    country = models.CharField(max_length=2)
    state = models.CharField(max_length=13, choices=State, default=State.LABEL_PENDING)
    code = models.CharField(max_length=100, default="")  #: Why the carrier refused, or what is unknown.
    carrier_id = models.CharField(max_length=100, default="")
    tracking = models.CharField(max_length=100, default="")
    progress = models.CharField(
        max_length=16, default="", db_default=""
    )  #: The carrier's last word of its way.
    progress_at = models.DateTimeField(null=True)  #: When that was, by the carrier's clock.
    ask_at = models.DateTimeField(null=True)  #: When to ask after it, should nothing be heard until then.
    correct_until = models.DateTimeField(
        null=True
    )  #: How long its address may be corrected: the first promise.
    price_minor = models.BigIntegerField(default=0)
    surplus = ArrayField(
        models.CharField(max_length=100), default=list
    )  #: Labels too many, still to be voided.
    applied = ArrayField(models.UUIDField(), default=list)  #: Withdrawals it has taken in.
    ready_at = models.DateTimeField(null=True)  #: Since when the carrier may take it: its order is confirmed.
    stop_reason = models.CharField(max_length=100, default="")  #: Why it may not leave all the same.
    stop_version = models.IntegerField(default=0)  #: The version of the stock news that decided it.
    version = models.IntegerField(default=0)  #: How many events its stream has.
    made_at = models.DateTimeField()
    moved_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key"], name="shipping_shipment_key_once"),
            models.UniqueConstraint(
                fields=["order_id"],
                condition=Q(~Q(state__in=NOT_LIVE), part_id=None),
                name="shipping_shipment_one_live_per_order",
            ),
            models.UniqueConstraint(
                fields=["part_id"],
                condition=Q(~Q(state__in=NOT_LIVE), part_id__isnull=False),
                name="shipping_shipment_one_live_per_part",
            ),
            models.UniqueConstraint(
                fields=["carrier_id"], condition=~Q(carrier_id=""), name="shipping_shipment_label_once"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=("label_bought", *LEFT)) | ~Q(carrier_id=""),
                name="shipping_shipment_bought_has_a_label",
            ),
        ]
        indexes: ClassVar = [
            models.Index("order_id", name="shipping_shipment_order"),
            models.Index("id", name="shipping_shipment_to_hand_over", condition=Q(state="label_bought")),
            models.Index("id", name="shipping_shipment_to_deliver", condition=Q(state="handed_over")),
            models.Index("ask_at", name="shipping_shipment_to_ask", condition=Q(ask_at__isnull=False)),
            models.Index("id", name="shipping_shipment_surplus", condition=~Q(surplus=[])),
        ]

    def __str__(self) -> str:
        return f"{self.reference}: {self.state}"


class Hold(models.Model):
    """No parcel of an order is offered to the carrier while one of these is `held`: one row for each dispute.

    Beside the parcels, since one may be made later than the dispute. `version` is that of the news it goes by.
    """

    dispute_id = models.UUIDField(primary_key=True)
    order_id = models.UUIDField()
    version = models.IntegerField()
    held = models.BooleanField()
    moved_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index("order_id", name="shipping_hold_order", condition=Q(held=True)),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}: {'held' if self.held else 'let go'}"


class Stop(models.Model):
    """Why no parcel of an order may leave, or nothing. Only orders in parcels have one, and those short of goods."""

    order_id = models.UUIDField(primary_key=True)
    reason = models.CharField(max_length=100, default="")
    version = models.IntegerField(default=0)  #: Of the stock news that decided it.

    def __str__(self) -> str:
        return f"{self.order_id}: {self.reason or 'may leave'}"


class ShipmentLine(models.Model):
    """One SKU of a parcel."""

    pk = models.CompositePrimaryKey("shipment_id", "sku")
    shipment = models.ForeignKey(Shipment, on_delete=models.CASCADE, related_name="lines", db_index=False)
    sku = models.CharField(max_length=SKU_LENGTH)
    quantity = models.BigIntegerField()
    withdrawn = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="shipping_line_has_something"),
            models.CheckConstraint(
                condition=Q(withdrawn__gte=0, withdrawn__lte=F("quantity")),
                name="shipping_line_withdraws_at_most_what_it_has",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.open} {self.sku}"

    @property
    def open(self) -> int:
        """What is to be sent, or was."""
        return self.quantity - self.withdrawn
