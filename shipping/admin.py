"""Shipping as staff see it. Shows; nothing is changed here."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from sagas.read_only import ReadOnlyAdmin
from shipping.models import Shipment


@admin.register(Shipment)
class ShipmentAdmin(ReadOnlyAdmin):
    """A parcel, its label and what is in it."""

    list_display = (
        "reference",
        "state",
        "code",
        "tracking",
        "country",
        "ready_at",
        "stop_reason",
        "moved_at",
    )
    list_filter = ("state", "stop_reason")
    search_fields = ("order_id__exact", "carrier_id__exact", "tracking__exact")
    search_help_text = "the id of an order, a label or a tracking number, exactly"
    ordering = ("-id",)
    fields = (
        "id", "reference", "state", "code", "shop_id", "order_id", "location_id", "country", "carrier_id",
        "tracking", "price_minor", "surplus", "ready_at", "stop_reason", "made_at", "moved_at",
        "what_is_in_it",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description="contents")
    def what_is_in_it(self, shipment: Shipment) -> SafeString:
        """What is sent, and what was taken out."""
        lines = shipment.lines.order_by("sku")
        return format_html_join(
            "", "<div>{} × {} ({} taken out)</div>", ((x.open, x.sku, x.withdrawn) for x in lines)
        )
