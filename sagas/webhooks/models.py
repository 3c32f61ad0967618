"""Endpoints of shops, and what is to be sent to each of them."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from sagas.ids import uuid7


class WebhookEndpoint(models.Model):
    """Where a shop wants to be told of events. Its circuit stands in its row: there may be thousands.

    The secrets are not here: each is derived from a key of the installation, the endpoint's id and a number.
    """

    class State(models.TextChoices):
        ENABLED = "enabled"  #: Gets what it asked for.
        DISABLED = "disabled"  #: Gets nothing. What comes meanwhile is listed as exhausted, for a while.

    MOVES: ClassVar = {State.ENABLED: {State.DISABLED}, State.DISABLED: {State.ENABLED}}

    id = models.UUIDField(primary_key=True, default=uuid7)
    shop_id = models.UUIDField()
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, default="")
    event_types = ArrayField(models.CharField(max_length=100), default=list)  #: Empty: all.
    state = models.CharField(max_length=8, choices=State, default=State.ENABLED)
    state_code = models.CharField(max_length=100, default="")
    state_since = models.DateTimeField()
    secret_number = models.IntegerField(default=1)
    secret_key = models.CharField(max_length=16)  #: Names the installation's key it is derived from.
    previous_number = models.IntegerField(null=True)
    previous_key = models.CharField(max_length=16, default="")
    previous_until = models.DateTimeField(null=True)
    asked_era = models.IntegerField(default=0)  #: It asks for events of this transaction and later ones.
    asked_xid = models.BigIntegerField(default=0)
    failures = models.IntegerField(default=0)  #: In a row.
    failing_since = models.DateTimeField(null=True)
    rest_until = models.DateTimeField(null=True)
    made_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhooks_endpoint"
        verbose_name = "webhook endpoint"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True) | Q(state="disabled"),
                name="webhooks_endpoint_deleted_gets_nothing",
            ),
            models.CheckConstraint(
                condition=Q(failures=0) ^ Q(failing_since__isnull=False),
                name="webhooks_endpoint_failing_has_a_since",
            ),
            models.CheckConstraint(
                condition=Q(previous_number__isnull=True) ^ Q(previous_until__isnull=False),
                name="webhooks_endpoint_previous_secret_ends",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                "shop_id", "id", name="webhooks_endpoint_shop", condition=Q(deleted_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"webhook endpoint {self.id}"


class WebhookDelivery(models.Model):
    """One event for one endpoint. What is sent is made from the log each time; only its place is kept here."""

    class State(models.TextChoices):
        QUEUED = "queued"  #: Not sent yet, or to be sent again because somebody asked.
        SENDING = "sending"  #: On its way, under a lease that ends at `wake_at`.
        RETRYING = "retrying"  #: Failed, and due again at `wake_at`.
        DELIVERED = "delivered"  #: The endpoint said 2xx. Final, unless it is replayed.
        EXHAUSTED = "exhausted"  #: Will not be sent any more. Final, unless it is replayed.

    MOVES: ClassVar = {
        State.QUEUED: {State.SENDING, State.EXHAUSTED},
        State.SENDING: {State.SENDING, State.DELIVERED, State.RETRYING, State.EXHAUSTED},
        State.RETRYING: {State.SENDING, State.EXHAUSTED},
        State.DELIVERED: {State.QUEUED},
        State.EXHAUSTED: {State.QUEUED},
    }
    OPEN: ClassVar = (State.QUEUED, State.SENDING, State.RETRYING)

    id = models.UUIDField(primary_key=True, default=uuid7)  #: The `webhook-id`, the same on every attempt.
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, db_index=False)
    stream = models.UUIDField()
    version = models.IntegerField()
    type = models.CharField(max_length=100)
    event_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State, default=State.QUEUED)
    attempt = models.IntegerField(default=0)  #: The fence: raised by each claim.
    failed = models.SmallIntegerField(default=0)
    outcome = models.CharField(max_length=20, default="")
    status = models.SmallIntegerField(null=True)
    history = models.JSONField(default=list)
    wake_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhooks_delivery"
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["endpoint", "stream", "version"], name="webhooks_delivery_once_per_endpoint_and_event"
            ),
            models.CheckConstraint(
                condition=Q(state__in=("queued", "sending", "retrying")) ^ Q(wake_at__isnull=True),
                name="webhooks_delivery_wakes_while_open",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("delivered", "exhausted")) ^ Q(finished_at__isnull=True),
                name="webhooks_delivery_finished_exactly_when_final",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["endpoint", "-event_at", "-id"], name="webhooks_delivery_list"),
            # The endpoint leads: a claim goes from endpoint to endpoint, however much waits at each.
            models.Index(
                "endpoint", "wake_at", "id", name="webhooks_delivery_open", condition=Q(wake_at__isnull=False)
            ),
            models.Index("endpoint", name="webhooks_delivery_sending", condition=Q(state="sending")),
            models.Index("wake_at", name="webhooks_delivery_due", condition=Q(wake_at__isnull=False)),
            models.Index(
                "finished_at", name="webhooks_delivery_done", condition=Q(finished_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} for endpoint {self.endpoint_id}"
