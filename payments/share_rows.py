"""The rows of captures in shares: what each was about to take of a payment, and what came of it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from payments.moving import Moving
from sagas.ids import uuid7


class Capture(Moving):
    """One share of a payment, captured for one saga. Of a payment at most one is open at a time.

    `before_minor` is what the payment had captured when this one was begun: what the provider has captured beyond
    that is its doing, so an outcome nobody knows is settled by looking. What is not seen may still come, until it has
    been asked for again with the same key, or long enough.
    """

    class State(models.TextChoices):
        SUBMITTING = "submitting"  #: The provider is being asked.
        UNKNOWN = "unknown"  #: The provider may have captured it. Left by asking it, or by a person's word.
        PUT_OFF = "put_off"  #: Nothing was done; it may be tried. It may be waiting for another share.
        SUCCEEDED = "succeeded"  #: The share is ours. Final.
        FAILED = "failed"  #: It cannot be captured. Final.

    MOVES: ClassVar = {
        State.SUBMITTING: {State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.PUT_OFF},
        State.UNKNOWN: {State.SUCCEEDED, State.FAILED, State.PUT_OFF},
        State.PUT_OFF: {State.SUBMITTING, State.SUCCEEDED},
        State.SUCCEEDED: set(),
        State.FAILED: set(),
    }
    OPEN: ClassVar = (State.SUBMITTING, State.UNKNOWN)

    id = models.UUIDField(primary_key=True, default=uuid7)
    payment = models.ForeignKey("payments.Payment", on_delete=models.PROTECT, related_name="captures")
    saga_id = models.UUIDField()
    key = models.UUIDField()  #: Of the last try. Only a try that was proven not to have happened has another.
    amount_minor = models.BigIntegerField()
    before_minor = models.BigIntegerField()
    final = models.BooleanField(default=False, db_default=False)  #: Asked for as one that ends the hold.
    state = models.CharField(max_length=10, choices=State, default=State.SUBMITTING)
    code = models.CharField(max_length=100, default="")
    mismatch = models.CharField(max_length=200, default="")
    made_at = models.DateTimeField()

    class Meta:
        permissions: ClassVar = [("settle_share", "Can settle by their word what became of a share")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["saga_id"], name="payments_capture_once_per_saga"),
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(state__in=["submitting", "unknown"]),
                name="payments_capture_one_open_per_payment",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0, before_minor__gte=0),
                name="payments_capture_takes_something",
            ),
        ]

    def __str__(self) -> str:
        return f"share of {self.payment_id}"
