"""Imported files for staff: what was read, and whether every row is accounted for."""

from __future__ import annotations

from django.contrib import admin

from orders.imports.models import ImportFile
from sagas.read_only import ReadOnlyAdmin


@admin.register(ImportFile)
class ImportFileAdmin(ReadOnlyAdmin):
    """A file with its counts."""

    list_display = (
        "name",
        "shop",
        "format",
        "state",
        "rows_read",
        "rows_imported",
        "rows_reported",
        "began_at",
    )
    list_filter = ("state",)
    list_select_related = ("shop",)
    ordering = ("-id",)
    fields = (
        "name", "shop", "format", "state", "error", "digest", "rows_read", "rows_imported", "rows_reported",
        "stocked_at", "began_at", "ended_at",
    )  # fmt: skip
    readonly_fields = fields
