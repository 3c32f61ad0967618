"""Rows of orders: shops and their tokens, orders as snapshots of their streams, and their lines."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from orders import states
from orders.giving_back.models import CreditNote
from orders.imports.models import ImportedDocument, ImportFile
from orders.parcelling.models import FulfilmentOrder
from orders.read_side.models import OrderSummary, OrderView, OrderViewSku
from orders.refunding.models import RefundRequest
from orders.returns.models import Return, ReturnLine
from sagas.ids import uuid7

__all__ = [
    "ApiToken", "CreditNote", "FulfilmentOrder", "ImportFile", "ImportedDocument", "Order", "OrderLine",
    "OrderSnapshot", "OrderSummary", "OrderView", "OrderViewSku", "Parcel", "RefundRequest", "Return", "ReturnLine",
    "Shop",
]  # fmt: skip


class Shop(models.Model):
    """Who sends orders, and whose they are."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    slug = models.SlugField(max_length=50)
    name = models.CharField(max_length=200)
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["slug"], name="orders_shop_slug_once")]

    def __str__(self) -> str:
        return self.name


class ApiToken(models.Model):
    """A shop's key to the API. Only a hash is kept: the token itself is shown once, when it is made."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    shop = models.ForeignKey(Shop, on_delete=models.PROTECT, related_name="tokens")
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64)
    name = models.CharField(max_length=100, default="")
    made_at = models.DateTimeField(db_default=Now())
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["prefix"], name="orders_apitoken_prefix_once")
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…"


class Order(models.Model):
    """The snapshot of one order's stream, written in the commit of its events; `version` is the stream's.

    The lock is semantic: while a saga changes the order, other commands are refused as
    `orders.order_locked`. Time alone never breaks it.
    """

    State = states.State
    LockKind = states.LockKind
    Fulfilment = states.Fulfilment
    MOVES: ClassVar = states.MOVES
    FINAL: ClassVar = states.FINAL

    id = models.UUIDField(primary_key=True, default=uuid7)
    shop = models.ForeignKey(Shop, on_delete=models.PROTECT, related_name="orders", db_index=False)
    external_reference = models.CharField(max_length=100)
    version = models.IntegerField(default=1)
    state = models.CharField(max_length=10, choices=states.State, default=states.State.DRAFT)
    person_id = models.UUIDField()
    country = models.CharField(max_length=2)
    payment_method = models.CharField(max_length=100)
    fulfilment = models.CharField(
        max_length=13, choices=states.Fulfilment, default=states.Fulfilment.ORCHESTRATION,
        db_default=states.Fulfilment.ORCHESTRATION,
    )  # fmt: skip
    in_parcels = models.BooleanField(default=False, db_default=False)  #: Each parcel takes its share.
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    goods_minor = models.BigIntegerField()
    charges_minor = models.BigIntegerField()
    cancelled_minor = models.BigIntegerField(default=0)
    returned_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0, db_default=0)
    charges = models.JSONField(default=list)
    lock_saga = models.UUIDField(null=True)
    lock_kind = models.CharField(max_length=8, choices=states.LockKind, default=states.LockKind.NONE)
    lock_since = models.DateTimeField(null=True)
    on_hold = models.BooleanField(default=False)
    hold_reason = models.CharField(max_length=200, default="")
    hold_owner = models.CharField(max_length=100, default="")
    needs_attention = models.BooleanField(default=False)
    attention_reason = models.CharField(max_length=200, default="")
    end_code = models.CharField(max_length=100, default="")
    cancel_reason = models.CharField(max_length=500, default="")
    placed_at = models.DateTimeField()
    received_at = models.DateTimeField()
    moved_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            # The reference leads, so that the same index serves the staff's search over all shops.
            models.UniqueConstraint(
                fields=["external_reference", "shop"], name="orders_order_once_per_shop_and_reference"
            ),
            models.CheckConstraint(
                condition=Q(state__in=states.State.values), name="orders_order_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(total_minor=F("goods_minor") + F("charges_minor")),
                name="orders_order_total_is_goods_and_charges",
            ),
            models.CheckConstraint(
                condition=Q(total_minor__gte=0, cancelled_minor__gte=0, returned_minor__gte=0),
                name="orders_order_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(lock_kind="", lock_saga__isnull=True, lock_since__isnull=True)
                | Q(~Q(lock_kind=""), lock_saga__isnull=False, lock_since__isnull=False),
                name="orders_order_lock_names_saga_and_since",
            ),
            models.CheckConstraint(
                condition=Q(lock_kind="") | ~Q(state__in=("draft", "rejected", "cancelled")),
                name="orders_order_given_back_holds_no_lock",
            ),
            models.CheckConstraint(
                condition=Q(on_hold=False) | ~Q(hold_reason=""), name="orders_order_hold_has_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0, refunded_minor__lte=F("total_minor")),
                name="orders_order_refunded_at_most_total",
            ),
        ]
        indexes: ClassVar = [
            models.Index("shop", "id", name="orders_order_page"),
            models.Index("id", name="orders_order_attention", condition=Q(needs_attention=True)),
            models.Index("person_id", name="orders_order_person"),
        ]

    def __str__(self) -> str:
        return self.external_reference


class OrderSnapshot(models.Model):
    """A long order as its stream had left it at `version`. A shortcut of replays; never read for the present.

    `shape` tells what code can make sense of `data`: see `orders.snapshots`.
    """

    pk = models.CompositePrimaryKey("order_id", "version")
    order_id = models.UUIDField()
    version = models.IntegerField()
    shape = models.CharField(max_length=16)
    data = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        db_table = "orders_snapshot"

    def __str__(self) -> str:
        return f"order {self.order_id} at version {self.version}"


class Parcel(models.Model):
    """What is known of one shipment of an order, as shipping reports it. It only ever gains facts."""

    id = models.UUIDField(primary_key=True)
    order_id = models.UUIDField()
    handed_over = models.BooleanField(default=False)
    delivered = models.BooleanField(default=False)
    gone = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar = [models.Index("order_id", name="orders_parcel_order")]

    def __str__(self) -> str:
        return str(self.id)


class OrderLine(models.Model):
    """One line of an order, frozen but for what was cancelled, returned or refunded of it."""

    pk = models.CompositePrimaryKey("order_id", "position")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines", db_index=False)
    position = models.IntegerField()
    sku = models.CharField(max_length=100)
    name = models.CharField(max_length=300)
    kind = models.CharField(max_length=10)
    quantity = models.IntegerField()
    unit_price_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    discount_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField()
    cancelled_quantity = models.IntegerField(default=0)
    returned_quantity = models.IntegerField(default=0)
    refunded_quantity = models.IntegerField(default=0, db_default=0)
    refunded_minor = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(
                    total_minor=F("quantity") * F("unit_price_minor") + F("tax_minor") - F("discount_minor")
                ),
                name="orders_line_total_is_exact",
            ),
            models.CheckConstraint(
                condition=Q(
                    quantity__gte=1,
                    unit_price_minor__gte=0,
                    tax_minor__gte=0,
                    discount_minor__gte=0,
                    total_minor__gte=0,
                ),
                name="orders_line_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(
                    cancelled_quantity__gte=0,
                    returned_quantity__gte=0,
                    quantity__gte=F("cancelled_quantity") + F("returned_quantity"),
                ),
                name="orders_line_gives_back_at_most_what_was_ordered",
            ),
            models.CheckConstraint(
                condition=Q(
                    refunded_quantity__gte=0,
                    quantity__gte=F("cancelled_quantity") + F("returned_quantity") + F("refunded_quantity"),
                    refunded_minor__gte=0,
                    refunded_minor__lte=F("total_minor"),
                ),
                name="orders_line_refunds_no_piece_twice",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position}: {self.quantity} × {self.sku}"
