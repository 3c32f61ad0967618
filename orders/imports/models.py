"""What was imported: files, and the documents in them. Re-reading a file finds its documents here."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from sagas.ids import uuid7


class ImportFile(models.Model):
    """One file, known by its content. `stocked_at` is when its opening stock was imported: once for all."""

    class State(models.TextChoices):
        RUNNING = "running"  #: Begun. Left behind by a process that died, the next run takes it up.
        FINISHED = "finished"  #: Read to the end.
        BROKEN = "broken"  #: It could not be read to the end. What was read before is imported.

    id = models.UUIDField(primary_key=True, default=uuid7)
    shop = models.ForeignKey("orders.Shop", on_delete=models.PROTECT, related_name="+", db_index=False)
    format = models.CharField(max_length=30)
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    error = models.CharField(max_length=500, default="")
    rows_read = models.BigIntegerField(default=0)
    rows_imported = models.BigIntegerField(default=0)
    rows_reported = models.BigIntegerField(default=0)
    stocked_at = models.DateTimeField(null=True)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["shop", "digest"], name="orders_importfile_once_per_shop"),
            models.CheckConstraint(
                condition=Q(rows_read=F("rows_imported") + F("rows_reported")),
                name="orders_importfile_every_row_is_accounted_for",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ImportedDocument(models.Model):
    """One document (an invoice) that was imported, written in the commit of its facts."""

    pk = models.CompositePrimaryKey("shop_id", "reference")
    shop = models.ForeignKey("orders.Shop", on_delete=models.PROTECT, related_name="+", db_index=False)
    reference = models.CharField(max_length=100)
    file = models.ForeignKey(ImportFile, on_delete=models.PROTECT, related_name="documents", db_index=False)
    kind = models.CharField(max_length=20)
    digest = models.CharField(max_length=64)
    rows_imported = models.IntegerField()

    def __str__(self) -> str:
        return self.reference
