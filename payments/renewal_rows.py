"""Rows of authorizations that are renewed: a second hold beside the first, until exactly one is left."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from payments.moving import Moving
from sagas.ids import uuid7


class Renewal(Moving):
    """One try to have the money of a payment held anew before its hold runs out. One per authorization.

    A table beside the payments: few are ever renewed, and none pays for it. `old_intent` is what the payment went by,
    `new_intent` what was made for this try; the one of both that the payment does not go by is spare, and is let go.
    """

    class State(models.TextChoices):
        ASKING = "asking"  #: The new hold is being asked for, or nobody knows yet whether it was given.
        RENEWED = "renewed"  #: The payment goes by the new intent; the old hold is still to be let go.
        SPARE = "spare"  #: The payment has moved on by the old intent; the new one is still to be let go.
        DONE = "done"  #: The payment goes by the new intent, and the old hold is gone. Final.
        DROPPED = "dropped"  #: Nothing is held by the new intent, nor will be. Final.
        DECLINED = "declined"  #: The bank said no, or wanted the customer. Final.

    #: A capture that was out there on the old intent wins after all: from renewed to spare. What came late is let go.
    MOVES: ClassVar = {
        State.ASKING: {State.RENEWED, State.SPARE, State.DROPPED, State.DECLINED},
        State.RENEWED: {State.DONE, State.SPARE},
        State.SPARE: {State.DROPPED},
        State.DONE: set(),
        State.DROPPED: {State.SPARE},
        State.DECLINED: {State.SPARE},
    }
    FINAL: ClassVar = (State.DONE, State.DROPPED, State.DECLINED)

    id = models.UUIDField(primary_key=True, default=uuid7)
    saga_id = models.UUIDField()
    payment = models.ForeignKey("payments.Payment", on_delete=models.PROTECT, related_name="renewals")
    old_intent = models.CharField(max_length=100)
    new_intent = models.CharField(max_length=100, default="")
    state = models.CharField(max_length=8, choices=State, default=State.ASKING)
    until = models.DateTimeField()  #: When the old hold runs out.
    code = models.CharField(max_length=100, default="")  #: Why it was not renewed.
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["saga_id"], name="payments_renewal_once_per_saga"),
            models.UniqueConstraint(fields=["old_intent"], name="payments_renewal_once_per_hold"),
            models.UniqueConstraint(
                fields=["new_intent"],
                condition=~Q(new_intent=""),
                name="payments_renewal_new_intent_once",
            ),
        ]

    def __str__(self) -> str:
        return f"renewal of {self.old_intent}"
