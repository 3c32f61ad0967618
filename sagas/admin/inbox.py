"""Incoming webhooks for staff: what came, what became of it, and reading it again."""

# ruff: noqa: ARG002 - the signatures are Django's

from __future__ import annotations

from typing import Any
from uuid import UUID

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
from sagas.admin.acts import ReasonForm, id_in
from sagas.inbox.rows import IncomingWebhook
from sagas.inbox.sources import source_names
from sagas.read_only import ReadOnlyAdmin
from sagas.verdicts import Refused

MOST_AT_ONCE = 500
#: A body is shown up to here: it is there to be looked at, not to be leafed through.
MOST_SHOWN = 20_000


@admin.action(description="Read again…", permissions=["operate"])
def read_again(
    model_admin: IncomingWebhookAdmin, request: HttpRequest, queryset: QuerySet[IncomingWebhook]
) -> HttpResponse:
    """Show which messages it is about and ask for a reason."""
    ids = list(queryset.values_list("pk", flat=True)[:MOST_AT_ONCE])
    return model_admin.ask_page(request, ids, ReasonForm())


class SourceFilter(admin.SimpleListFilter):
    """By source; the names are those of the code, not of ten million rows."""

    title = "source"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in source_names()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[IncomingWebhook]
    ) -> QuerySet[IncomingWebhook]:
        return queryset.filter(source=self.value()) if self.value() else queryset


@admin.register(IncomingWebhook)
class IncomingWebhookAdmin(ReadOnlyAdmin):
    """Read-only but for reading again."""

    list_display = ("event_id", "source", "type", "object_id", "state", "code", "received", "waits")
    list_filter = ("state", SourceFilter)
    search_fields = ("event_id__exact", "object_id__exact", "type__exact")
    search_help_text = "Exactly: the provider's id of the event or of its object, or the type."
    exclude = ("body",)
    readonly_fields = ("text",)
    ordering = ("-id",)
    sortable_by = ()
    actions = [read_again]  # type: ignore[assignment]
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ("staff/pages.css",)}

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may change incoming webhooks may have them read again."""
        return request.user.has_perm("sagas.change_incomingwebhook")

    def get_queryset(self, request: HttpRequest) -> QuerySet[IncomingWebhook]:
        found: QuerySet[IncomingWebhook] = super().get_queryset(request)
        return found.defer("body") if request.resolver_match and not request.resolver_match.kwargs else found

    @admin.display(description="received")
    def received(self, webhook: IncomingWebhook) -> SafeString | str:
        """How long ago."""
        return display.when(webhook.received_at, timezone.now())

    @admin.display(description="read next")
    def waits(self, webhook: IncomingWebhook) -> SafeString | str:
        """When it is looked at again, while it is open."""
        return display.when(webhook.wake_at, timezone.now()) if webhook.settled_at is None else ""

    @admin.display(description="body")
    def text(self, webhook: IncomingWebhook) -> SafeString | str:
        """The body as it came, as long as it is kept."""
        shown = bytes(webhook.body[:MOST_SHOWN]).decode(errors="replace")
        return format_html("<pre>{}</pre>", shown) if shown else "emptied"

    def get_urls(self) -> list[URLPattern]:
        own = path("read-again/", self.admin_site.admin_view(self.read_again_view), name="sagas_read_again")
        return [own, *super().get_urls()]

    def read_again_view(self, request: HttpRequest) -> HttpResponse:
        """Call the one command for exactly these messages, and show one message."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        ids = [id_in(text) for text in request.POST.getlist("webhook")[:MOST_AT_ONCE]]
        if not ids:
            raise Http404
        form = ReasonForm(request.POST)
        if not form.is_valid() or not self._read(request, ids, form):
            return self.ask_page(request, ids, form)
        return HttpResponseRedirect(reverse("admin:sagas_incomingwebhook_changelist"))

    def _read(self, request: HttpRequest, ids: list[UUID], form: ReasonForm) -> bool:
        actor, reason = request.user.get_username(), form.cleaned_data["reason"]
        try:
            count = operate.read_again(ids, actor=actor, reason=reason, now=timezone.now())
        except Refused as refused:
            form.add_error(None, refused.detail or refused.code)
            return False
        left = len(ids) - count
        messages.success(request, f"To be read again: {count}." + (f" Body gone: {left}." if left else ""))
        return True

    def ask_page(self, request: HttpRequest, ids: list[UUID], form: ReasonForm) -> HttpResponse:
        """How many messages, and the question for a reason."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"Read {len(ids)} {'webhook' if len(ids) == 1 else 'webhooks'} again?",
            "explains": "Each is compared with our rows once more; where they differ, the provider is asked.",
            "verb": "Read again",
            "form": form,
            "hidden": [("webhook", id_) for id_ in ids],
            "action": reverse("admin:sagas_read_again"),
            "back": reverse("admin:sagas_incomingwebhook_changelist"),
            "grave": False,
            "now": timezone.now(),
        }
        return TemplateResponse(request, "admin/sagas/ask.html", context)
