"""The state of a saga: where it stands, and what became of each step."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Saga(models.Model):
    """One order's way through the shop."""

    class State(models.TextChoices):
        RUNNING = "running"
        COMPENSATING = "compensating"
        COMPLETED = "completed"
        COMPENSATED = "compensated"

    objects: ClassVar[models.Manager[Saga]] = models.Manager()

    order_id = models.UUIDField(unique=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.RUNNING)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "django_shop"

    def __str__(self) -> str:
        return f"{self.order_id}: {self.state}"


class Step(models.Model):
    """One step of one saga."""

    class State(models.TextChoices):
        PENDING = "pending"
        DONE = "done"
        REFUSED = "refused"
        UNDONE = "undone"

    objects: ClassVar[models.Manager[Step]] = models.Manager()

    saga = models.ForeignKey(Saga, on_delete=models.CASCADE, related_name="steps")
    position = models.SmallIntegerField()
    name = models.CharField(max_length=40)
    state = models.CharField(max_length=20, choices=State.choices, default=State.PENDING)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "django_shop"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["saga", "position"], name="shop_step_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"
