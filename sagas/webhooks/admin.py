"""Webhooks for staff: to look at, and to enable, disable or replay with a reason, each by one command."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sagas.admin.acts import ReasonForm
from sagas.clock import database_now
from sagas.read_only import ReadOnlyAdmin
from sagas.verdicts import Refused
from sagas.webhooks import commands, replay
from sagas.webhooks.commands import Who
from sagas.webhooks.models import WebhookDelivery, WebhookEndpoint

MOST_AT_ONCE = 500
CHANGE = "webhooks.change_webhookendpoint"


def _enable(ids: list[UUID], who: Who) -> int:
    for endpoint_id in sorted(ids):
        commands.enable_endpoint(endpoint_id, shop_id=None, who=who, now=database_now())
    return len(ids)


def _disable(ids: list[UUID], who: Who) -> int:
    for endpoint_id in sorted(ids):
        commands.disable_endpoint(endpoint_id, shop_id=None, who=who, now=database_now())
    return len(ids)


def _replay(ids: list[UUID], who: Who) -> int:
    by_endpoint: dict[UUID, list[UUID]] = {}
    for pk, endpoint_id in WebhookDelivery.objects.filter(pk__in=ids).values_list("pk", "endpoint_id"):
        by_endpoint.setdefault(endpoint_id, []).append(pk)
    now = database_now()
    done = [
        replay.replay_deliveries(endpoint_id, some, shop_id=None, who=who, now=now)
        for endpoint_id, some in sorted(by_endpoint.items())
    ]
    return sum(one.count for one in done)


#: What each act is called, what it explains, and its command.
ACTS: dict[str, tuple[str, str, Callable[[list[UUID], Who], int]]] = {
    "enable": (
        "Enable",
        "Events are sent to these endpoints again. What they missed is listed as exhausted and can be replayed.",
        _enable,
    ),
    "disable": (
        "Disable",
        "Nothing is sent to these endpoints any more, and what is open is listed as exhausted. The shop is told.",
        _disable,
    ),
    "replay": (
        "Send again",
        "Those of these deliveries that have ended are sent once more, under the webhook-id they had.",
        _replay,
    ),
}


class ActingAdmin(ReadOnlyAdmin):
    """A read-only list with acts that ask for a reason first."""

    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    list_display_links: Any = None

    class Media:
        css = {"all": ("staff/pages.css",)}

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may change endpoints may act on them and on what is sent to them."""
        return request.user.has_perm(CHANGE)

    def get_urls(self) -> list[URLPattern]:
        name = f"webhooks_act_on_{self.opts.model_name}"
        return [path("act/<slug:act>/", self.admin_site.admin_view(self.act), name=name), *super().get_urls()]

    def act(self, request: HttpRequest, act: str) -> HttpResponse:
        """Ask for a reason, then call the command and show one message."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        ids = _ids(request.POST.getlist("chosen")[:MOST_AT_ONCE])
        if act not in ACTS or not ids:
            raise Http404
        form = ReasonForm(request.POST)
        if not form.is_valid() or not self._acted(request, act, ids, form):
            return self.ask_page(request, act, ids, form)
        return HttpResponseRedirect(self._list())

    def _acted(self, request: HttpRequest, act: str, ids: list[UUID], form: ReasonForm) -> bool:
        verb, _, command = ACTS[act]
        try:
            with transaction.atomic():
                count = command(ids, Who(request.user.get_username(), form.cleaned_data["reason"]))
        except Refused as refused:
            form.add_error(None, refused.detail or refused.code)
            return False
        messages.success(request, f"{verb}: {count}.")
        return True

    def ask_page(self, request: HttpRequest, act: str, ids: list[UUID], form: ReasonForm) -> HttpResponse:
        """What is chosen, and the question for a reason."""
        verb, explains, _ = ACTS[act]
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb}: {len(ids)}?",
            "explains": explains,
            "verb": verb,
            "form": form,
            "hidden": [("chosen", id_) for id_ in ids],
            "action": reverse(f"admin:webhooks_act_on_{self.opts.model_name}", args=[act]),
            "back": self._list(),
            "grave": act == "disable",
            "now": timezone.now(),
        }
        return TemplateResponse(request, "admin/sagas/ask.html", context)

    def _list(self) -> str:
        return reverse(f"admin:webhooks_{self.opts.model_name}_changelist")


def _ids(texts: list[str]) -> list[UUID]:
    try:
        return [UUID(text) for text in texts]
    except ValueError:
        raise Http404 from None


def _action(act: str) -> Callable[..., HttpResponse]:
    @admin.action(description=ACTS[act][0], permissions=["operate"])
    def ask(model_admin: ActingAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        ids = list(queryset.values_list("pk", flat=True)[:MOST_AT_ONCE])
        return model_admin.ask_page(request, act, ids, ReasonForm())

    ask.__name__ = act
    return ask


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ActingAdmin):
    """Where shops want to be told, and how that has been going. Secrets are nowhere to be seen."""

    list_display = (
        "id",
        "shop_id",
        "url",
        "state",
        "state_code",
        "failures",
        "failing_since",
        "rest_until",
        "sent",
    )
    list_display_links = ("id",)
    list_filter = ("state",)
    search_fields = ("id__exact", "shop_id__exact")
    search_help_text = "an endpoint's or a shop's id"
    ordering = ("-id",)
    actions = [_action("enable"), _action("disable")]  # type: ignore[assignment]
    fields = (
        "id", "shop_id", "url", "description", "event_types", "state", "state_code", "state_since", "secret_number",
        "previous_until", "failures", "failing_since", "rest_until", "made_at", "sent",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        return super().get_queryset(request).filter(deleted_at=None)

    @admin.display(description="deliveries")
    def sent(self, endpoint: WebhookEndpoint) -> SafeString:
        """A way to what was sent to it."""
        where = reverse("admin:webhooks_webhookdelivery_changelist")
        return format_html('<a href="{}?endpoint__id__exact={}">deliveries</a>', where, endpoint.pk)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ActingAdmin):
    """What was sent, is on its way, or was given up."""

    list_display = (
        "id",
        "type",
        "event",
        "endpoint_id",
        "state",
        "outcome",
        "status",
        "attempt",
        "wake_at",
        "made_at",
    )
    list_display_links = ("id",)
    list_filter = ("state",)
    search_fields = ("id__exact", "endpoint__id__exact", "stream__exact")
    search_help_text = "the id of a delivery, an endpoint or an object"
    ordering = ("-id",)
    actions = [_action("replay")]  # type: ignore[assignment]
    fields = (
        "id", "endpoint_id", "type", "event", "event_at", "state", "outcome", "status", "attempt", "failed", "attempts",
        "wake_at", "made_at", "finished_at",
    )  # fmt: skip
    readonly_fields = fields

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        return lookup == "endpoint__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description="event")
    def event(self, delivery: WebhookDelivery) -> SafeString:
        """Its place, leading to its stream."""
        url = reverse("admin:sagas_stream", args=[delivery.stream])
        return format_html('<a href="{}">{}.{}</a>', url, delivery.stream, delivery.version)

    @admin.display(description="attempts")
    def attempts(self, delivery: WebhookDelivery) -> SafeString:
        """The last of them, oldest first."""
        return format_html("<pre>{}</pre>", "\n".join(json.dumps(attempt) for attempt in delivery.history))
