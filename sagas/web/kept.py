"""The row behind `once`. Django finds it through sagas.models."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class KeptAnswer(models.Model):
    """What the API answered to a request that was carried out, for when it is sent again under its key."""

    pk = models.CompositePrimaryKey("client_id", "key")
    client_id = models.UUIDField()  #: Keys of different clients never meet.
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.SmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.JSONField()
    made_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(status__gte=200, status__lt=300), name="sagas_kept_answer_is_of_something_done"
            ),
        ]
        indexes: ClassVar = [models.Index("made_at", name="sagas_kept_answer_age")]

    def __str__(self) -> str:
        return self.key
