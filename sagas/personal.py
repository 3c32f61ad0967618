"""Rows of personal data: the one place it is kept, and the wishes to have it erased. Rows of the platform."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from sagas.ids import uuid7


class Person(models.Model):
    """The one erasable place for a person's data. Events and rows elsewhere hold only its id."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    shop_id = models.UUIDField()
    reference = models.CharField(max_length=200)
    name = models.CharField(max_length=300, default="")
    email = models.CharField(max_length=320, default="")
    address = models.JSONField(default=dict)
    made_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "people"
        constraints: ClassVar = [
            # By this class of operators it also finds all that begin with a customer's reference.
            models.UniqueConstraint(
                fields=["shop_id", "reference"],
                name="sagas_person_once_per_reference",
                opclasses=["uuid_ops", "varchar_pattern_ops"],
            ),
            models.CheckConstraint(
                condition=Q(erased_at__isnull=True)
                | Q(name="", email="", address={}, reference__startswith="erased/"),
                name="sagas_person_erased_is_empty",
            ),
        ]
        indexes: ClassVar = [
            models.Index(Lower("email"), "shop_id", "id", name="sagas_person_email", condition=~Q(email=""))
        ]

    def __str__(self) -> str:
        return str(self.id)


class Erasure(models.Model):
    """A wish to erase a person that waits until the last open order of theirs has ended. Then the row goes."""

    person_id = models.UUIDField(primary_key=True)
    actor = models.CharField(max_length=100)
    reason = models.TextField()
    asked_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.person_id)
