"""Requests for refunds: who wants how much of an order back, who decided, and what became of it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from sagas.ids import uuid7


class RefundRequest(models.Model):
    """One wish that money of an order goes back, without anything else happening to the order.

    `lines` are {position, sku, quantity, amount_minor}, none if an amount was asked for. `saga_id` is the saga that
    pays it back. `owed_minor` is what the customer still has not got, `credited_minor` what is customer credit.
    Written under the order's lock, except for what payments tells later: `returned_at` and `repaid_at`.
    """

    class State(models.TextChoices):
        AWAITING_APPROVAL = (
            "awaiting_approval"  #: Above the limit: a second person decides. It counts as promised.
        )
        RUNNING = "running"  #: Its saga pays it back and holds the order.
        OWED = "owed"  #: The provider could not pay it, or it came back. A person finds another way.
        PAID = "paid"  #: Paid back, or owed as customer credit. Final, unless it comes back to us.
        DECLINED = "declined"  #: A person said no, or that nothing went back. Nothing moved. Final.
        REFUSED = "refused"  #: Not paid: the bank, or the provider, had taken the money back. Final.
        CLOSED = "closed"  #: It was owed with nobody paying it, and a person has ended it. Final.

    MOVES: ClassVar = {
        State.AWAITING_APPROVAL: frozenset({State.RUNNING, State.DECLINED}),
        State.RUNNING: frozenset({State.PAID, State.OWED, State.REFUSED, State.DECLINED}),
        State.OWED: frozenset({State.PAID, State.REFUSED, State.CLOSED}),
        State.PAID: frozenset({State.OWED, State.REFUSED}),
        State.DECLINED: frozenset(),
        State.REFUSED: frozenset(),
        State.CLOSED: frozenset(),
    }

    id = models.UUIDField(primary_key=True, default=uuid7)
    shop = models.ForeignKey("orders.Shop", on_delete=models.PROTECT, related_name="+", db_index=False)
    order = models.ForeignKey(
        "orders.Order", on_delete=models.PROTECT, related_name="refund_requests", db_index=False
    )
    version = models.IntegerField(default=1)  #: Of the event stream.
    state = models.CharField(max_length=17, choices=State)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    lines = models.JSONField(default=list)
    reason = models.CharField(max_length=500)
    asked_by = models.CharField(max_length=100)
    asked_at = models.DateTimeField()
    decided_by = models.CharField(max_length=100, default="")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=500, default="")
    saga_id = models.UUIDField(null=True)
    refund_id = models.UUIDField(null=True)
    refunded_minor = models.BigIntegerField(default=0)
    credited_minor = models.BigIntegerField(default=0)
    owed_minor = models.BigIntegerField(default=0)
    dropped_minor = models.BigIntegerField(
        default=0, db_default=0
    )  #: Was owed, and is no more: a bank or a person has ended it. Its order goes on counting it.
    closed_by = models.CharField(max_length=100, default="", db_default="")
    closed_reason = models.CharField(max_length=500, default="", db_default="")
    returned_at = models.DateTimeField(null=True)
    repaid_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    moved_at = models.DateTimeField()

    class Meta:
        permissions: ClassVar = [
            ("ask_refund", "Can ask for a refund of an order"),
            ("approve_refund", "Can approve or decline a refund that somebody else asked for"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["saga_id"], name="orders_refundrequest_once_per_saga"),
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(state="running"),
                name="orders_refundrequest_one_at_work_per_order",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "awaiting_approval",
                        "running",
                        "owed",
                        "paid",
                        "declined",
                        "refused",
                        "closed",
                    ]
                ),
                name="orders_refundrequest_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0), name="orders_refundrequest_amount_above_zero"
            ),
            models.CheckConstraint(
                condition=Q(
                    refunded_minor__gte=0,
                    credited_minor__gte=0,
                    owed_minor__gte=0,
                    dropped_minor__gte=0,
                    amount_minor__gte=F("refunded_minor")
                    + F("credited_minor")
                    + F("owed_minor")
                    + F("dropped_minor"),
                ),
                name="orders_refundrequest_gives_at_most_its_amount",
            ),
            models.CheckConstraint(
                condition=Q(state="owed") ^ Q(owed_minor=0), name="orders_refundrequest_owed_says_how_much"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["awaiting_approval", "declined"]) ^ Q(saga_id__isnull=False),
                name="orders_refundrequest_is_paid_by_a_saga",
            ),
            models.CheckConstraint(
                condition=Q(decided_by="", decided_at__isnull=True) & ~Q(state="declined")
                | Q(decided_at__isnull=False)
                & ~Q(decided_by="")
                & ~Q(decision_reason="")
                & ~Q(state="awaiting_approval"),
                name="orders_refundrequest_decision_has_a_name_and_reason",
            ),
            models.CheckConstraint(
                condition=Q(state="closed") & ~Q(closed_by="") & ~Q(closed_reason="")
                | ~Q(state="closed") & Q(closed_by="", closed_reason=""),
                name="orders_refundrequest_closed_by_a_person_with_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(state="declined") | ~Q(decided_by=F("asked_by")),
                name="orders_refundrequest_approved_by_another_person",
            ),
        ]
        indexes: ClassVar = [
            models.Index("order", "id", name="orders_refundrequest_of_order"),
            models.Index(
                "id", name="orders_refundrequest_open", condition=Q(state__in=["awaiting_approval", "owed"])
            ),
        ]

    def __str__(self) -> str:
        return f"refund of {self.amount_minor} {self.currency}"
