"""The rows of disputes: what a customer's bank wants back of a payment, what it costs, and what came of it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from payments.moving import Moving
from sagas.ids import uuid7


class Dispute(Moving):
    """A customer's bank wants captured money back, all of a payment or a part. Written as the provider has it.

    An `inquiry` is only a question: no money has moved, and none does unless it becomes a real one under the same id.
    `withdrawn_minor` is what the provider took from us for it, and `fee_minor` what it charges for the trouble so far.
    """

    class State(models.TextChoices):
        NEEDS_RESPONSE = "needs_response"  #: Evidence may be sent to the provider, until `evidence_due_by`.
        UNDER_REVIEW = "under_review"  #: The bank has the evidence, and decides.
        WON = "won"  #: The money stays, or came back. Final.
        LOST = "lost"  #: The bank has taken it. Final.

    #: A question under review may become a real dispute, which needs an answer anew.
    MOVES: ClassVar = {
        State.NEEDS_RESPONSE: {State.UNDER_REVIEW, State.WON, State.LOST},
        State.UNDER_REVIEW: {State.NEEDS_RESPONSE, State.WON, State.LOST},
        State.WON: set(),
        State.LOST: set(),
    }
    OPEN: ClassVar = (State.NEEDS_RESPONSE, State.UNDER_REVIEW)

    id = models.UUIDField(primary_key=True, default=uuid7)
    payment = models.ForeignKey("payments.Payment", on_delete=models.PROTECT, related_name="disputes")
    provider_id = models.CharField(max_length=100)
    state = models.CharField(max_length=14, choices=State, default=State.NEEDS_RESPONSE)
    inquiry = models.BooleanField(default=False, db_default=False)
    amount_minor = models.BigIntegerField(
        default=0, db_default=0
    )  #: 0: not asked for since it was only a flag.
    currency = models.CharField(max_length=3, default="", db_default="")
    reason = models.CharField(max_length=30, default="", db_default="")
    evidence_due_by = models.DateTimeField(null=True)
    withdrawn_minor = models.BigIntegerField(default=0, db_default=0)
    fee_minor = models.BigIntegerField(default=0, db_default=0)
    fee_currency = models.CharField(max_length=3, default="", db_default="")
    opened_at = models.DateTimeField()  #: By the provider's word.
    closed_at = models.DateTimeField(null=True)  #: When we learned of its end.
    asked_at = models.DateTimeField(null=True)  #: When the provider last told us how it stands.
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider_id"], name="payments_dispute_once"),
            models.CheckConstraint(
                condition=Q(
                    amount_minor__gte=0, withdrawn_minor__gte=0, withdrawn_minor__lte=F("amount_minor")
                ),
                name="payments_dispute_takes_at_most_its_amount",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["needs_response", "under_review"]) ^ Q(closed_at__isnull=False),
                name="payments_dispute_closed_says_when",
            ),
            models.CheckConstraint(
                condition=Q(inquiry=False) | Q(withdrawn_minor=0),
                name="payments_dispute_inquiry_takes_nothing",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                "evidence_due_by", "id", name="payments_dispute_open",
                condition=Q(state__in=["needs_response", "under_review"]),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"dispute {self.provider_id}"

    @property
    def open(self) -> bool:
        """Whether the bank has not decided yet."""
        return self.state in self.OPEN


class DisputeFee(models.Model):
    """One change of what the provider charges for a dispute, as it was booked; below zero, what it gives back."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, related_name="fees")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(amount_minor=0), name="payments_disputefee_changes_something"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} {self.currency} for {self.dispute_id}"


class RefundCut(models.Model):
    """What of a promised refund is not paid, because a bank, or the provider, has taken it: once for each time."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    refund = models.ForeignKey("payments.Refund", on_delete=models.PROTECT, related_name="cuts")
    amount_minor = models.BigIntegerField()
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payments_refundcut_cuts_something"),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} of {self.refund_id}"
