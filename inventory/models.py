"""Rows of inventory: what is where, what is promised to whom, and every piece that ever came or went."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from sagas.ids import uuid7

SKU_LENGTH = 100


class Location(models.Model):
    """A place where a shop's goods lie. Orders are served from the lowest `priority` that has everything."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    shop_id = models.UUIDField()
    code = models.CharField(max_length=50)
    priority = models.SmallIntegerField(default=0)
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["shop_id", "code"], name="inventory_location_code_once_per_shop"),
        ]

    def __str__(self) -> str:
        return self.code


class Stock(models.Model):
    """The counters of one SKU at one location. None is indexed, so that every update stays on its page.

    `held` and `allocated` are the open lines of reservations so; `on_hand` is the sum of movements.
    """

    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="stock", db_index=False)
    sku = models.CharField(max_length=SKU_LENGTH)
    on_hand = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    allocated = models.BigIntegerField(default=0)
    unavailable = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "stock"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["location", "sku"], name="inventory_stock_once_per_location_and_sku"
            ),
            models.CheckConstraint(
                condition=Q(on_hand__gte=F("held") + F("allocated") + F("unavailable")),
                name="inventory_stock_never_promises_more_than_there_is",
            ),
            models.CheckConstraint(
                condition=Q(on_hand__gte=0, held__gte=0, allocated__gte=0, unavailable__gte=0),
                name="inventory_stock_counters_never_negative",
            ),
        ]

    def __str__(self) -> str:
        return self.sku

    @property
    def available(self) -> int:
        """What can still be promised."""
        return self.on_hand - self.held - self.allocated - self.unavailable


class Movement(models.Model):
    """Pieces that came or went, and why. Append-only: the database refuses to change or remove one."""

    class Kind(models.TextChoices):
        RECEIPT = "receipt"  #: Goods came in.
        ADJUSTMENT = "adjustment"  #: Pieces were found or written off.
        COUNT = "count"  #: A stocktake: `asked` is the difference from what the books said.
        SHIPMENT = "shipment"  #: Goods left with a parcel.
        RETURN = "return"  #: Goods came back from a customer.

    id = models.UUIDField(primary_key=True, default=uuid7)
    key = models.UUIDField()
    shop_id = models.UUIDField()
    location = models.ForeignKey(
        Location, on_delete=models.PROTECT, related_name="movements", db_index=False, db_constraint=False
    )
    sku = models.CharField(max_length=SKU_LENGTH)
    kind = models.CharField(max_length=10, choices=Kind)
    quantity = models.BigIntegerField()  #: What on_hand changed by.
    asked = models.BigIntegerField()  #: What it was to change by; promised goods may have stood against it.
    reason = models.CharField(max_length=200, default="")
    source_id = models.UUIDField(null=True)  #: The shipment, credit note or restock behind it.
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key"], name="inventory_movement_key_once"),
            models.CheckConstraint(
                condition=Q(kind__in=("adjustment", "count"))
                | Q(kind__in=("receipt", "return"), quantity__gte=0)
                | Q(kind="shipment", quantity__lte=0),
                name="inventory_movement_direction_fits_its_kind",
            ),
        ]
        indexes: ClassVar = [models.Index("location", "sku", "id", name="inventory_movement_history")]

    def __str__(self) -> str:
        return f"{self.kind} {self.quantity:+d} {self.sku}"


class Reservation(models.Model):
    """Goods promised to one order. Its lines count in the stock's counters while it is held or allocated."""

    class State(models.TextChoices):
        HELD = "held"  #: Promised until `expires_at`.
        ALLOCATED = "allocated"  #: Bound to a confirmed order; expires no more.
        CONSUMED = "consumed"  #: Everything that was not given back has shipped. Final.
        RELEASED = "released"  #: Given back. Final, unless the parcel left all the same.
        EXPIRED = "expired"  #: The hold ran out. Taken anew if its order is confirmed all the same.
        SHORT = "short"  #: Its order is confirmed and its goods are gone. Filled as goods come in.

    MOVES: ClassVar[dict[str, set[str]]] = {
        State.HELD: {State.ALLOCATED, State.CONSUMED, State.RELEASED, State.EXPIRED},
        State.ALLOCATED: {State.CONSUMED, State.RELEASED},
        State.EXPIRED: {State.ALLOCATED, State.SHORT, State.RELEASED, State.CONSUMED},
        State.SHORT: {State.ALLOCATED, State.RELEASED, State.CONSUMED},
        State.RELEASED: {State.CONSUMED},
        State.CONSUMED: set(),
    }
    OPEN: ClassVar = (State.HELD, State.ALLOCATED)  #: The states whose lines the counters contain.

    id = models.UUIDField(primary_key=True, default=uuid7)
    key = models.UUIDField()  #: The reserving step's key; a release that comes first takes its place.
    shop_id = models.UUIDField()
    order_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=State, default=State.HELD)
    expires_at = models.DateTimeField(null=True)
    applied = ArrayField(models.UUIDField(), default=list)  #: Shipments and withdrawals it has taken in.
    version = models.IntegerField(default=1)  #: How many events its stream has.
    made_at = models.DateTimeField()
    moved_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key"], name="inventory_reservation_key_once"),
            models.UniqueConstraint(
                fields=["order_id"],
                condition=Q(state__in=("held", "allocated")),
                name="inventory_reservation_one_open_per_order",
            ),
            models.CheckConstraint(
                condition=Q(state="held") ^ Q(expires_at__isnull=True),
                name="inventory_reservation_expires_exactly_while_held",
            ),
        ]
        indexes: ClassVar = [
            models.Index("order_id", name="inventory_reservation_order"),
            models.Index("expires_at", name="inventory_reservation_expiry", condition=Q(state="held")),
            models.Index("id", name="inventory_reservation_short", condition=Q(state="short")),
        ]

    def __str__(self) -> str:
        return f"{self.state} for order {self.order_id}"


class ReservationLine(models.Model):
    """One SKU of a reservation at one location. Open: what was neither given back nor shipped."""

    pk = models.CompositePrimaryKey("reservation_id", "sku", "location_id")
    reservation = models.ForeignKey(
        Reservation, on_delete=models.CASCADE, related_name="lines", db_index=False
    )
    location = models.ForeignKey(
        Location, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+"
    )
    sku = models.CharField(max_length=SKU_LENGTH)
    quantity = models.BigIntegerField()
    withdrawn = models.BigIntegerField(default=0)
    consumed = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="inventory_line_holds_something"),
            models.CheckConstraint(
                condition=Q(withdrawn__gte=0, consumed__gte=0, quantity__gte=F("withdrawn") + F("consumed")),
                name="inventory_line_gives_no_more_than_it_holds",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} {self.sku}"

    @property
    def open(self) -> int:
        """What is still to ship or to give back."""
        return self.quantity - self.withdrawn - self.consumed
