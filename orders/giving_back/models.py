"""Credit notes: what a shop gives back, waiting for its order until it can be given."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from sagas.ids import uuid7


class CreditNote(models.Model):
    """Goods or money given back of one order, or of none that is known.

    `lines` are {sku, quantity, amount_minor}. `saga_id` is the saga that is giving it back, or gave it back.
    What an order cannot pay back any more is `credit_minor`: owed to the customer without a provider's help.
    `refund_minor` may be more than the amount: an order of which nothing is left to ship keeps no money.
    """

    class Kind(models.TextChoices):
        CANCELLATION = "cancellation"  #: Before the goods leave the house. Too late, it becomes a return.
        RETURN = "return"  #: Goods come back. Waits until they have left.
        ALLOWANCE = "allowance"  #: Money only.

    class State(models.TextChoices):
        WAITING = "waiting"  #: For its order, for an earlier note of the same order, or for its saga.
        APPLIED = "applied"  #: Given back. Final.
        NOTHING_TO_REFUND = "nothing_to_refund"  #: The order was never paid, so nothing is owed. Final.
        CREDITED = "credited"  #: Belongs to no order: restocked, and owed to the customer. Final.

    MOVES: ClassVar = {State.WAITING: frozenset({State.APPLIED, State.NOTHING_TO_REFUND})}
    FINAL: ClassVar = frozenset({State.APPLIED, State.NOTHING_TO_REFUND, State.CREDITED})

    id = models.UUIDField(primary_key=True, default=uuid7)
    shop = models.ForeignKey("orders.Shop", on_delete=models.PROTECT, related_name="+", db_index=False)
    order = models.ForeignKey(
        "orders.Order", on_delete=models.PROTECT, related_name="credit_notes", null=True, db_index=False
    )
    reference = models.CharField(max_length=100)
    kind = models.CharField(max_length=12, choices=Kind)
    state = models.CharField(max_length=20, choices=State, default=State.WAITING)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    refund_minor = models.BigIntegerField(default=0)
    credit_minor = models.BigIntegerField(default=0)
    lines = models.JSONField(default=list)
    saga_id = models.UUIDField(null=True)
    tries = models.IntegerField(default=0)
    issued_at = models.DateTimeField()
    made_at = models.DateTimeField()
    moved_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["reference", "shop"], name="orders_creditnote_once_per_shop_and_reference"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "applied", "nothing_to_refund", "credited"]),
                name="orders_creditnote_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["cancellation", "return", "allowance"]),
                name="orders_creditnote_kind_is_known",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0, refund_minor__gte=0, credit_minor__gte=0),
                name="orders_creditnote_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=F("credit_minor")),
                name="orders_creditnote_owes_at_most_its_amount",
            ),
            models.CheckConstraint(
                condition=Q(state="credited", order__isnull=True)
                | (~Q(state="credited") & Q(order__isnull=False)),
                name="orders_creditnote_credited_means_no_order",
            ),
        ]
        indexes: ClassVar = [
            # Also finds the notes of one order. Whoever applies looks at what waits, never at what is done.
            models.Index("order", "issued_at", "id", name="orders_creditnote_of_order"),
            models.Index("issued_at", "id", name="orders_creditnote_waiting", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return self.reference
