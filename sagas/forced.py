"""Circuits that a person holds in one position. The rows are the truth; what workers share is set from them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class ForcedCircuit(models.Model):
    """One circuit held open or closed for everybody, until it is unforced."""

    class Position(models.TextChoices):
        OPEN = "open"  #: Nobody calls; steps wait.
        CLOSED = "closed"  #: Everybody calls, whatever fails.

    pk = models.CompositePrimaryKey("provider", "operation")
    provider = models.CharField(max_length=100)
    operation = models.CharField(max_length=100)
    position = models.CharField(max_length=6, choices=Position)
    actor = models.CharField(max_length=100)
    reason = models.CharField(max_length=500)
    since = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(position__in=("open", "closed")), name="sagas_forcedcircuit_known_position"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}:{self.operation} {self.position}"
