"""Rows about projections: which slot is live, the builds, and the events that people let them pass over."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class ProjectionSlot(models.Model):
    """Which slot of a projection's tables readers see. A rebuild fills the other one and swaps."""

    name = models.CharField(primary_key=True, max_length=100)
    live_slot = models.SmallIntegerField(default=1)
    swapped_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "sagas"
        db_table = "sagas_projection"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(live_slot__in=(1, 2)), name="sagas_projection_slot_is_1_or_2"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: slot {self.live_slot}"


class ProjectionBuild(models.Model):
    """One build of a projection in its spare slot, and how far it has come. Fold and place move together."""

    class State(models.TextChoices):
        BUILDING = "building"  #: Under way, or interrupted: it goes on where it was.
        STOPPED = "stopped"  #: It met an event that the fold cannot digest; it goes on there when run again.
        COMPARED = "compared"  #: Equal or not, nothing was swapped. Final.
        SWAPPED = "swapped"  #: Readers see it since. Final.
        DROPPED = "dropped"  #: Given up for a new one. Final.

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=100)
    slot = models.SmallIntegerField()
    era = models.IntegerField(default=0)
    xid = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    events = models.BigIntegerField(default=0)
    skipped = models.IntegerField(default=0)
    differing = models.BigIntegerField(null=True)
    state = models.CharField(max_length=10, choices=State, default=State.BUILDING)
    error = models.TextField(default="")
    started_at = models.DateTimeField()
    moved_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "sagas"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(slot__in=(1, 2)), name="sagas_build_slot_is_1_or_2"),
            models.UniqueConstraint(
                fields=["name"],
                name="sagas_build_one_open_per_projection",
                condition=Q(finished_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(state__in=("compared", "swapped", "dropped")) ^ Q(finished_at__isnull=True),
                name="sagas_build_finished_exactly_when_final",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} in slot {self.slot}: {self.state}"


class SkippedEvent(models.Model):
    """An event that a person let a projection pass over. No fold of it ever sees this event, in no build."""

    id = models.BigAutoField(primary_key=True)
    subscription = models.CharField(max_length=100)
    stream = models.UUIDField()
    version = models.IntegerField()
    era = models.IntegerField()
    xid = models.BigIntegerField()
    position = models.BigIntegerField()
    error = models.TextField()
    actor = models.CharField(max_length=100)
    reason = models.CharField(max_length=500)
    skipped_at = models.DateTimeField()

    class Meta:
        app_label = "sagas"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["subscription", "stream", "version"], name="sagas_skipped_event_once_per_subscription"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription}: {self.stream} v{self.version}"
