"""Events that reactions could not digest: deliver them again once the cause is mended, or drop them."""

# ruff: noqa: ARG002 - the signatures are Django's

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sagas import display, operate
from sagas.admin.acts import ReasonForm
from sagas.bus import subscriptions
from sagas.models import ParkedEvent
from sagas.quoting import words_of
from sagas.read_only import ReadOnlyAdmin

MOST_AT_ONCE = 500
HOW = {
    "redeliver": (
        "Deliver again",
        "These events are sent to their reaction now, stream by stream. If one fails again, all stay.",
    ),
    "drop": ("Drop", "The reaction never sees these events. Nothing is undone; say why that is right."),
}


def _action(how: str) -> Callable[..., HttpResponse]:
    @admin.action(description=HOW[how][0], permissions=["operate"])
    def ask(
        model_admin: ParkedEventAdmin, request: HttpRequest, queryset: QuerySet[ParkedEvent]
    ) -> HttpResponse:
        ids = list(queryset.filter(settled_at__isnull=True).values_list("pk", flat=True)[:MOST_AT_ONCE])
        return model_admin.ask_page(request, how, ids, ReasonForm())

    ask.__name__ = how
    return ask


class OpenFilter(admin.SimpleListFilter):
    """Open ones unless asked otherwise."""

    title = "settled"
    parameter_name = "settled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Settled"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        first, *rest = super().choices(changelist)
        yield {**first, "display": "Waiting"}
        yield from rest

    def queryset(self, request: HttpRequest, queryset: QuerySet[ParkedEvent]) -> QuerySet[ParkedEvent]:
        if self.value() == "all":
            return queryset
        return queryset.filter(settled_at__isnull=self.value() != "yes")


class SubscriptionFilter(admin.SimpleListFilter):
    title = "reaction"
    parameter_name = "subscription"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(sub.name, sub.name) for sub in subscriptions() if sub.kind == "reaction"]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ParkedEvent]) -> QuerySet[ParkedEvent]:
        return queryset.filter(subscription=self.value()) if self.value() else queryset


@admin.register(ParkedEvent)
class ParkedEventAdmin(ReadOnlyAdmin):
    """Read-only but for delivering again and dropping."""

    list_display = ("subscription", "event", "why", "since", "outcome")
    list_display_links = None
    list_filter = (OpenFilter, SubscriptionFilter)
    ordering = ("-id",)
    sortable_by = ()
    actions = [_action("redeliver"), _action("drop")]  # type: ignore[assignment]
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ("staff/pages.css",)}

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may change parked events may settle them."""
        return request.user.has_perm("sagas.change_parkedevent")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Parked events", **(extra_context or {})})

    @admin.display(description="event")
    def event(self, parked: ParkedEvent) -> SafeString:
        """Its place, leading to its stream."""
        url = reverse("admin:sagas_stream", args=[parked.stream])
        return format_html('<a href="{}">version {} of {}</a>', url, parked.version, parked.stream)

    @admin.display(description="why")
    def why(self, parked: ParkedEvent) -> SafeString:
        """What went wrong, or that it only waits behind the broken one."""
        if not parked.error:
            return format_html('<span class="wb-quiet">{}</span>', "waits behind an earlier one")
        return format_html('<code class="wb-error">{}</code>', parked.error[:300])

    @admin.display(description="parked")
    def since(self, parked: ParkedEvent) -> SafeString | str:
        """For how long."""
        return display.when(parked.parked_at, timezone.now())

    @admin.display(description="settled")
    def outcome(self, parked: ParkedEvent) -> SafeString | str:
        """By whom and how."""
        if parked.settled_at is None:
            return ""
        return format_html('{}<span class="wb-sub">by {}</span>', parked.settled_how, parked.settled_by)

    def get_urls(self) -> list[URLPattern]:
        settle = path(
            "settle/<slug:how>/", self.admin_site.admin_view(self.settle), name="sagas_settle_parked"
        )
        return [settle, *super().get_urls()]

    def settle(self, request: HttpRequest, how: str) -> HttpResponse:
        """Ask for a reason, then call one command and show one message."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        ids = [int(text) for text in request.POST.getlist("event")[:MOST_AT_ONCE] if text.isdecimal()]
        if how not in HOW or not ids:
            raise Http404
        form = ReasonForm(request.POST)
        if not form.is_valid() or not self._settled(request, how, ids, form):
            return self.ask_page(request, how, ids, form)
        return HttpResponseRedirect(reverse("admin:sagas_parkedevent_changelist"))

    def _settled(self, request: HttpRequest, how: str, ids: list[int], form: ReasonForm) -> bool:
        actor, reason = request.user.get_username(), form.cleaned_data["reason"]
        try:
            count = operate.settle_parked(ids, how=how, actor=actor, reason=reason, now=timezone.now())
        except Exception as error:  # noqa: BLE001 - whatever the reaction raises: it is shown, and nothing has changed
            form.add_error(None, f"It failed again, and nothing has changed: {words_of(error)}")
            return False
        messages.success(request, f"{HOW[how][0]}: {count} events.")
        return True

    def ask_page(self, request: HttpRequest, how: str, ids: list[int], form: ReasonForm) -> HttpResponse:
        """Which events, and the question for a reason."""
        verb, explains = HOW[how]
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb} {len(ids)} {'event' if len(ids) == 1 else 'events'}?",
            "explains": explains,
            "verb": verb,
            "form": form,
            "hidden": [("event", id_) for id_ in ids],
            "action": reverse("admin:sagas_settle_parked", args=[how]),
            "back": reverse("admin:sagas_parkedevent_changelist"),
            "grave": how == "drop",
            "now": timezone.now(),
        }
        return TemplateResponse(request, "admin/sagas/ask.html", context)
