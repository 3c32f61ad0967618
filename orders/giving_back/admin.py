"""Credit notes for staff: what waits, what was given back, what is owed."""

from __future__ import annotations

from django.contrib import admin

from orders.giving_back.models import CreditNote
from sagas.money import money
from sagas.read_only import ReadOnlyAdmin


@admin.register(CreditNote)
class CreditNoteAdmin(ReadOnlyAdmin):
    """A credit note with its order and the saga that gives it back."""

    list_display = ("reference", "order", "shop", "kind", "state", "amount", "refunded", "owed", "issued_at")
    list_filter = ("state", "kind")
    list_select_related = ("order", "shop")
    search_fields = ("reference__exact", "order__external_reference__exact")
    search_help_text = "the reference of the note or of its order, exactly"
    ordering = ("-id",)
    fields = (
        "reference", "shop", "order", "kind", "state", "amount", "refunded", "owed", "lines", "saga_id",
        "tries", "issued_at", "made_at", "moved_at",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description="amount")
    def amount(self, note: CreditNote) -> str:
        return money(note.amount_minor, note.currency)

    @admin.display(description="refunded")
    def refunded(self, note: CreditNote) -> str:
        return money(note.refund_minor, note.currency)

    @admin.display(description="owed")
    def owed(self, note: CreditNote) -> str:
        return money(note.credit_minor, note.currency)
