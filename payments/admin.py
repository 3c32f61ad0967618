"""Payments, refunds and the ledger for staff: to look, not to touch. Money moves only by commands."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from payments.gateways.declines import decline_class
from payments.models import Capture, Dispute, JournalEntry, Payment, Refund
from sagas.read_only import ReadOnlyAdmin


def entries_table(entries: models.QuerySet[JournalEntry]) -> SafeString:
    """Journal entries with their lines, oldest first."""
    return format_html_join(
        "",
        "<div>{} <b>{}</b>: {}</div>",
        ((e.at, e.kind, lines_of(e)) for e in entries.prefetch_related("lines")),
    )


def lines_of(entry: JournalEntry) -> str:
    """One entry in words."""
    return ", ".join(f"{line.account} {line.amount_minor} {line.currency}" for line in entry.lines.all())


def in_words(dispute: Dispute) -> str:
    """One dispute in words."""
    due = dispute.evidence_due_by
    date = f", evidence due {due:%Y-%m-%d %H:%M} UTC" if due and dispute.open else ""
    asked = ", only asked" if dispute.inquiry else ""
    return f"{dispute.provider_id} {dispute.state} {dispute.amount_minor} {dispute.currency}{asked}{date}"


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin):
    """What customers' banks want back, by the date of their evidence."""

    list_display = (
        "provider_id", "state", "evidence_due_by", "amount_minor", "currency", "reason", "inquiry", "fee_minor",
        "opened_at", "closed_at",
    )  # fmt: skip
    list_filter = ("state", "reason", "inquiry", "currency")
    search_fields = ("provider_id__exact", "payment__order_id__exact")
    search_help_text = "the provider's id of the dispute, or the order's id, exactly"
    raw_id_fields = ("payment",)
    ordering = ("evidence_due_by", "id")


def _way_out(share: Capture) -> SafeString | str:
    """Where a person may say what became of a share, while nobody knows."""
    if share.state not in Capture.OPEN:
        return ""
    return format_html(' <a href="{}">settle it</a>', reverse("money:share", args=[share.pk]))


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """A payment with its refunds and what the ledger says about it."""

    list_display = (
        "reference", "state", "unknown_of", "currency", "amount_minor", "captured_minor", "refunded_minor",
        "code", "flag", "moved_at",
    )  # fmt: skip
    list_filter = ("state", "unknown_of", "flag", "currency")
    search_fields = ("order_id__exact", "provider_id__exact")
    search_help_text = "the order's or the provider's id, exactly"
    readonly_fields = ("what_may_help", "shares_table", "refunds_table", "disputes_table", "ledger")

    @admin.display(description="what may help")
    def what_may_help(self, payment: Payment) -> str:
        turned_down = {Payment.State.DECLINED, Payment.State.CAPTURE_FAILED}
        return str(decline_class(payment.code)) if payment.state in turned_down else ""

    @admin.display(description="shares")
    def shares_table(self, payment: Payment) -> SafeString:
        return format_html_join(
            "", "<div>{} {} {} {}{}{}</div>",
            ((s.state, s.amount_minor, payment.currency, s.code, s.mismatch, _way_out(s))
             for s in payment.captures.order_by("id")),
        )  # fmt: skip

    @admin.display(description="refunds")
    def refunds_table(self, payment: Payment) -> SafeString:
        return format_html_join(
            "", "<div>{} {} {} {}</div>",
            payment.refunds.order_by("id").values_list("state", "amount_minor", "currency", "code"),
        )  # fmt: skip

    @admin.display(description="disputes")
    def disputes_table(self, payment: Payment) -> SafeString:
        return format_html_join(
            "", "<div>{}</div>", ((in_words(dispute),) for dispute in payment.disputes.order_by("id"))
        )

    @admin.display(description="ledger")
    def ledger(self, payment: Payment) -> SafeString:
        return entries_table(JournalEntry.objects.filter(payment_id=payment.pk).order_by("id"))


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    """A refund, and how far it has come."""

    list_display = (
        "reference", "state", "currency", "amount_minor", "credit_minor", "failures", "code", "moved_at",
    )  # fmt: skip
    list_filter = ("state", "currency")
    search_fields = ("saga_id__exact", "provider_id__exact")
    search_help_text = "the saga's or the provider's id, exactly"
    raw_id_fields = ("payment",)
    readonly_fields = ("another_way",)

    @admin.display(description="another way")
    def another_way(self, refund: Refund) -> SafeString | str:
        if refund.state != Refund.State.FAILED:
            return "–"
        return format_html(
            '<a href="{}">Pay it back another way</a>', reverse("money:refund", args=[refund.pk])
        )


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    """The ledger, newest first."""

    list_display = ("at", "kind", "source_id", "order_id", "in_words")
    list_filter = ("kind",)
    search_fields = ("payment_id__exact", "source_id__exact")
    search_help_text = "a payment's, refund's or credit note's id, exactly"
    readonly_fields = ("in_words",)

    def get_queryset(self, *args: Any, **kwargs: Any) -> models.QuerySet[JournalEntry]:
        return super().get_queryset(*args, **kwargs).prefetch_related("lines")

    @admin.display(description="lines")
    def in_words(self, entry: JournalEntry) -> str:
        return lines_of(entry)
