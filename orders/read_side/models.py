"""Tables of the read side. Each is partitioned by `slot`: one partition is live, the other is built beside it.

Only `orders.read_side.store` writes here, and only from events. No name and no e-mail: people are joined when read,
so that erasing a person needs nothing here. Indexes leave the slot out, for it is the partition.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from orders.states import State


class OrderView(models.Model):
    """One order as its events show it; see `orders.read_side.row` for what a column says.

    A row whose OrderPlaced was not taken in yet has version 0 and no shop: it is in no shop's index.
    """

    pk = models.CompositePrimaryKey("slot", "order_id")
    slot = models.SmallIntegerField()
    order_id = models.UUIDField()
    shop_id = models.UUIDField(null=True)
    version = models.IntegerField()
    external_reference = models.CharField(max_length=100, db_collation="C")
    person_id = models.UUIDField(null=True)
    state = models.CharField(max_length=10, choices=State)
    on_hold = models.BooleanField()
    hold_reason = models.CharField(max_length=200)
    needs_attention = models.BooleanField()
    attention_reason = models.CharField(max_length=200)
    end_code = models.CharField(max_length=100)
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    goods_minor = models.BigIntegerField()
    charges_minor = models.BigIntegerField()
    cancelled_minor = models.BigIntegerField()
    returned_minor = models.BigIntegerField()
    country = models.CharField(max_length=2)
    fulfilment = models.CharField(max_length=20)
    pieces = models.IntegerField()
    skus = ArrayField(models.TextField())
    charges = models.JSONField()
    placed_at = models.DateTimeField(null=True)
    placed_on = models.DateField(null=True)  #: The day of `placed_at` in UTC: where it is counted.
    received_at = models.DateTimeField(null=True)
    moved_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    saga_id = models.UUIDField(null=True)
    saga_state = models.CharField(max_length=20)
    progress = models.SmallIntegerField()
    payment_id = models.UUIDField(null=True)
    payment_version = models.IntegerField()
    payment_state = models.CharField(max_length=20)
    authorized_minor = models.BigIntegerField()
    captured_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField()
    reservation_id = models.UUIDField(null=True)
    stock_version = models.IntegerField()
    stock_state = models.CharField(max_length=20)
    shipment_id = models.UUIDField(null=True)
    shipment_version = models.IntegerField()
    shipment_state = models.CharField(max_length=20)
    tracking = models.CharField(max_length=200)
    handed_over_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index("shop_id", "order_id", name="orders_view_page"),
            models.Index("shop_id", "state", "order_id", name="orders_view_state"),
            models.Index("shop_id", "country", "order_id", name="orders_view_country"),
            models.Index("shop_id", "placed_at", "order_id", name="orders_view_placed"),
            models.Index("shop_id", "total_minor", "order_id", name="orders_view_total"),
            models.Index("shop_id", "external_reference", "order_id", name="orders_view_reference"),
            models.Index("person_id", "order_id", name="orders_view_person"),
            models.Index(
                "shop_id", "end_code", "order_id", name="orders_view_failure", condition=~Q(end_code="")
            ),
            models.Index(
                "shop_id", "order_id", name="orders_view_attention", condition=Q(needs_attention=True)
            ),
        ]

    def __str__(self) -> str:
        return self.external_reference


class OrderSummary(models.Model):
    """How many orders of a shop, placed on a day in UTC, stand in one status, and the sums of their money."""

    pk = models.CompositePrimaryKey("slot", "shop_id", "day", "country", "status", "currency")
    slot = models.SmallIntegerField()
    shop_id = models.UUIDField()
    day = models.DateField()
    country = models.CharField(max_length=2)
    status = models.CharField(max_length=10)
    currency = models.CharField(max_length=3)
    orders = models.IntegerField()
    total_minor = models.BigIntegerField()
    captured_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.day} {self.country} {self.status} {self.currency}: {self.orders}"


class OrderViewSku(models.Model):
    """Which orders hold goods of a SKU: a rare one is found as quickly as one that everybody buys."""

    pk = models.CompositePrimaryKey("slot", "shop_id", "sku", "order_id")
    slot = models.SmallIntegerField()
    shop_id = models.UUIDField()
    sku = models.CharField(max_length=100, db_collation="C")
    order_id = models.UUIDField()

    def __str__(self) -> str:
        return f"{self.sku} in {self.order_id}"
