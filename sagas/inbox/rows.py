"""The row of an incoming webhook. A row of the platform."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from sagas.ids import uuid7


class IncomingWebhook(models.Model):
    """One message of a provider, as it came. Stored in the commit that its 2xx stands for; read afterwards.

    `object_id` is the provider's name of what it is about, `meaning` all that it says of it in one line: the same
    fact under two ids has one meaning. The body is emptied some days after the row is settled.
    """

    class State(models.TextChoices):
        RECEIVED = "received"  #: Stored, and not read yet.
        MATCHED = "matched"  #: Its object is known; the provider, or a step at work on it, has the next word.
        UNMATCHED = "unmatched"  #: Its object does not exist here yet. Looked at again in growing intervals.
        APPLIED = (
            "applied"  #: What the provider said when it was asked is in our rows, or a step was woken to ask.
        )
        IGNORED = "ignored"  #: Nothing new: a duplicate, older than what we know, or not for us.
        EXPIRED = "expired"  #: Its object never came, or nobody could be asked for days.

    #: A person may have any that has ended read again.
    MOVES: ClassVar = {
        State.RECEIVED: {State.MATCHED, State.UNMATCHED, State.APPLIED, State.IGNORED, State.EXPIRED},
        State.MATCHED: {State.APPLIED, State.IGNORED, State.EXPIRED},
        State.UNMATCHED: {State.MATCHED, State.APPLIED, State.IGNORED, State.EXPIRED},
        State.APPLIED: {State.RECEIVED},
        State.IGNORED: {State.RECEIVED},
        State.EXPIRED: {State.RECEIVED},
    }

    id = models.UUIDField(primary_key=True, default=uuid7)
    source = models.CharField(max_length=50)
    event_id = models.CharField(max_length=200)
    type = models.CharField(max_length=100)
    object_id = models.CharField(max_length=200)
    meaning = models.CharField(max_length=300)
    body = models.BinaryField(default=b"")
    headers = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()  #: By the provider's clock.
    received_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State, default=State.RECEIVED)
    code = models.CharField(max_length=100, default="")  #: Why it stands where it stands.
    attempts = models.IntegerField(
        default=0
    )  #: How often it was read: the fence of a reader that wakes up late.
    wake_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()  #: Until then its object may still come, or the provider be reached.
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "event_id"], name="sagas_webhook_once_per_event"),
            models.CheckConstraint(
                condition=Q(state__in=("applied", "ignored", "expired")) ^ Q(settled_at__isnull=True),
                name="sagas_webhook_settled_exactly_when_ended",
            ),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=False) | Q(wake_at__isnull=False),
                name="sagas_webhook_open_has_a_wake_up",
            ),
        ]
        indexes: ClassVar = [
            models.Index("source", "wake_at", name="sagas_webhook_due", condition=Q(settled_at__isnull=True)),
            models.Index("object_id", name="sagas_webhook_unmatched", condition=Q(state="unmatched")),
            models.Index("object_id", "meaning", name="sagas_webhook_meaning"),
            models.Index("settled_at", name="sagas_webhook_settled", condition=Q(settled_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.event_id}"
