"""Shipping as staff see it. Shows; nothing is changed here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from sagas.read_only import ReadOnlyAdmin
from shipping.carriers import get_carrier
from shipping.carriers.base import LabelFile
from shipping.models import Shipment


@admin.register(Shipment)
class ShipmentAdmin(ReadOnlyAdmin):
    """A parcel, its label and what is in it."""

    list_display = (
        "reference",
        "state",
        "progress",
        "code",
        "tracking",
        "country",
        "ready_at",
        "stop_reason",
        "moved_at",
    )
    list_filter = ("state", "progress", "stop_reason")
    search_fields = ("order_id__exact", "carrier_id__exact", "tracking__exact")
    search_help_text = "the id of an order, a label or a tracking number, exactly"
    ordering = ("-id",)
    fields = (
        "id", "reference", "state", "code", "shop_id", "order_id", "location_id", "country", "carrier_id",
        "tracking", "label", "progress", "progress_at", "ask_at", "correct_until", "price_minor", "surplus", "ready_at",
        "stop_reason", "made_at", "moved_at", "what_is_in_it",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description="contents")
    def what_is_in_it(self, shipment: Shipment) -> SafeString:
        """What is sent, and what was taken out."""
        lines = shipment.lines.order_by("sku")
        return format_html_join(
            "", "<div>{} × {} ({} taken out)</div>", ((x.open, x.sku, x.withdrawn) for x in lines)
        )

    @admin.display(description="label")
    def label(self, shipment: Shipment) -> SafeString | str:
        """Where the label can be printed from, while there is one."""
        if shipment.state != Shipment.State.LABEL_BOUGHT:
            return "-"
        address = reverse("admin:shipping_shipment_label", args=[shipment.pk])
        return format_html('<a href="{}">PDF</a>', address)

    def get_urls(self) -> list[Any]:
        """The label beside the usual pages."""
        label: URLPattern = path(
            "<uuid:shipment_id>/label/",
            self.admin_site.admin_view(self.print_label),
            name="shipping_shipment_label",
        )
        return [label, *super().get_urls()]

    def print_label(self, request: HttpRequest, shipment_id: Any) -> HttpResponse:
        """The label as the carrier has it. It is kept nowhere: there is an address on it."""
        shipment = self.get_object(request, str(shipment_id))
        if shipment is None or not self.has_view_permission(request, shipment):
            return HttpResponse(status=404)
        found = get_carrier().label(shipment.carrier_id) if shipment.carrier_id else None
        if isinstance(found, LabelFile):
            name = f'inline; filename="{shipment.tracking or shipment.pk}.pdf"'
            headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
            return HttpResponse(found.content, content_type=found.media_type, headers=headers)
        messages.error(request, f"No label: {found.code if found else 'none was bought'}.")
        return HttpResponseRedirect(reverse("admin:shipping_shipment_change", args=[shipment_id]))
