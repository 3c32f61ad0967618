"""Orders and shops for staff: to look, not to touch. What changes an order is a command with a reason."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from orders import queries
from orders.giving_back.admin import CreditNoteAdmin
from orders.history_admin import TimeTravelAdmin, lines_of, link_to
from orders.imports.admin import ImportFileAdmin
from orders.models import ApiToken, Order, Shop
from sagas.money import money
from sagas.read_only import ReadOnlyAdmin

__all__ = ["CreditNoteAdmin", "ImportFileAdmin", "OrderAdmin", "ShopAdmin"]


@admin.register(Order)
class OrderAdmin(TimeTravelAdmin):
    """An order with its lines and its history, now or as it stood."""

    list_display = ("external_reference", "shop", "state", "total", "needs_attention", "on_hold", "placed_at")
    list_filter = ("needs_attention",)
    list_select_related = ("shop",)
    search_fields = ("external_reference__exact",)
    search_help_text = "the shop's own reference, exactly"
    ordering = ("-id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "external_reference",
                    "shop",
                    "state",
                    "end_code",
                    "cancel_reason",
                    "placed_at",
                    "fulfilment",
                )
            },
        ),
        ("Money", {"fields": ("total", "goods", "charged", "given_back", "payment_method", "country")}),
        ("Who holds it", {"fields": ("lock_kind", "lock_saga", "lock_since")}),
        ("For a person", {"fields": ("needs_attention", "attention_reason", "on_hold", "hold_owner")}),
        ("Lines", {"fields": ("lines",)}),
        ("Story", {"fields": ("story",)}),
    )

    def get_readonly_fields(self, *_: Any, **__: Any) -> list[str]:
        return [str(name) for _, section in self.fieldsets for name in section["fields"]]

    @admin.display(description="total")
    def total(self, order: Order) -> str:
        return money(order.total_minor, order.currency)

    @admin.display(description="goods")
    def goods(self, order: Order) -> str:
        return money(order.goods_minor, order.currency)

    @admin.display(description="charges")
    def charged(self, order: Order) -> str:
        parts = ", ".join(f"{c['kind']} {money(c['amount_minor'], order.currency)}" for c in order.charges)
        return f"{money(order.charges_minor, order.currency)} ({parts or 'none'})"

    @admin.display(description="cancelled / returned / refunded")
    def given_back(self, order: Order) -> str:
        parts = (order.cancelled_minor, order.returned_minor, order.refunded_minor)
        return " / ".join(money(part, order.currency) for part in parts)

    @admin.display(description="")
    def lines(self, order: Order) -> SafeString:
        head = (
            "#",
            "SKU",
            "name",
            "kind",
            "ordered",
            "cancelled",
            "returned",
            "refunded",
            "unit price",
            "total",
        )
        return _table(
            head,
            (
                (
                    *(line.position, line.sku, line.name, line.kind),
                    *(line.quantity, line.cancelled_quantity, line.returned_quantity, line.refunded_quantity),
                    money(line.unit_price_minor, order.currency),
                    money(line.total_minor, order.currency),
                )
                for line in lines_of(order)
            ),
        )

    @admin.display(description="")
    def story(self, order: Order) -> SafeString:
        parts = queries.story_of(order.pk)
        return _table(
            ("version", "what", "at", "by", "why"),
            ((link_to(p.version), p.what, f"{p.at:%Y-%m-%d %H:%M:%S} UTC", p.actor, p.reason) for p in parts),
        )


class TokenInline(admin.TabularInline):  # type: ignore[type-arg]
    """A shop's tokens by their public part."""

    model = ApiToken
    fields = ("prefix", "name", "made_at", "revoked_at")
    readonly_fields = fields
    can_delete = False
    extra = 0

    def has_add_permission(self, *_: Any, **__: Any) -> bool:
        return False


@admin.register(Shop)
class ShopAdmin(ReadOnlyAdmin):
    """Who may send orders."""

    list_display = ("name", "slug", "id", "made_at")
    search_fields = ("slug", "name")
    inlines = (TokenInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Shop]:
        return super().get_queryset(request).order_by("slug")


def _table(head: tuple[str, ...], body: Any) -> SafeString:
    cells = format_html_join("", "<th>{}</th>", ((name,) for name in head))
    lines = format_html_join(
        "", "<tr>{}</tr>", ((format_html_join("", "<td>{}</td>", ((v,) for v in row)),) for row in body)
    )
    return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", cells, lines)
