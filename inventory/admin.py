"""Inventory as staff see it. Shows and explains; nothing is changed here."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from inventory.models import Location, Movement, Reservation, Stock
from sagas.read_only import ReadOnlyAdmin


@admin.register(Location)
class LocationAdmin(ReadOnlyAdmin):
    """Where goods lie."""

    list_display = ("code", "shop_id", "priority", "made_at")
    search_fields = ("code__exact", "shop_id__exact")
    ordering = ("shop_id", "priority", "code")


@admin.register(Stock)
class StockAdmin(ReadOnlyAdmin):
    """What is there, what is promised, and what is left."""

    list_display = ("sku", "location", "on_hand", "held", "allocated", "unavailable", "available")
    list_select_related = ("location",)
    list_filter = ("location",)
    search_fields = ("sku__exact",)
    search_help_text = "a SKU, exactly"
    ordering = ("location_id", "sku")


@admin.register(Movement)
class MovementAdmin(ReadOnlyAdmin):
    """Why the numbers are what they are."""

    list_display = ("at", "kind", "sku", "location", "quantity", "asked", "reason", "source_id")
    list_select_related = ("location",)
    list_filter = ("kind", "location")
    search_fields = ("sku__exact",)
    search_help_text = "a SKU, exactly"
    ordering = ("-id",)


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    """What was promised to an order, line by line."""

    list_display = ("id", "state", "order_id", "expires_at", "made_at", "moved_at")
    list_filter = ("state",)
    search_fields = ("order_id__exact", "id__exact")
    search_help_text = "the id of an order or a reservation"
    ordering = ("-id",)
    fields = ("id", "state", "shop_id", "order_id", "expires_at", "made_at", "moved_at", "what_it_holds")
    readonly_fields = fields

    @admin.display(description="lines")
    def what_it_holds(self, reservation: Reservation) -> SafeString:
        """What was promised, given back and shipped, and what is left."""
        lines = reservation.lines.select_related("location").order_by("sku", "location_id")
        return format_html_join(
            "",
            "<div>{} × {} at {}: {} given back, {} shipped, {} open</div>",
            ((x.quantity, x.sku, x.location.code, x.withdrawn, x.consumed, x.open) for x in lines),
        )
