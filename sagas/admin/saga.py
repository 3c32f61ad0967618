"""Sagas as staff see them: the list, the story of one, and the acts on them."""

# ruff: noqa: ARG002 - the signatures are Django's

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString

from sagas import display, preview, queries
from sagas.admin import filters, platform
from sagas.admin.acts import ACTS, Act, SagaForm, id_in
from sagas.admin.changelist import MOST_AT_ONCE, SagaChangeList
from sagas.admin.detail import story
from sagas.models import Saga
from sagas.money import money, purse
from sagas.read_only import ReadOnlyAdmin
from sagas.standing import words
from sagas.verdicts import Refused

#: So many sagas are listed on the page that asks for a reason; the rest is told in groups.
SHOWN = 50


def _action(kind: str) -> Callable[..., HttpResponse]:
    @admin.action(description=ACTS[kind].label, permissions=["operate"])
    def ask(model_admin: SagaAdmin, request: HttpRequest, queryset: QuerySet[Saga]) -> HttpResponse:
        chosen = preview.sagas_in_order(list(queryset.values_list("pk", flat=True)[:MOST_AT_ONCE]))
        return model_admin.act_page(request, ACTS[kind], chosen, back=request.get_full_path())

    ask.__name__ = kind
    return ask


@admin.register(Saga)
class SagaAdmin(ReadOnlyAdmin):
    """Read-only but for the acts, each of which asks for a reason and calls one operator command."""

    change_list_template = "admin/sagas/saga/list.html"
    list_display = ("what", "stands", "steps", "amount", "waits", "started")
    list_display_links = ("what",)
    list_filter = filters.ALL
    search_fields = ("search_key",)
    search_help_text = "An order's reference or how it begins, or the id of a saga or of its order."
    ordering = ("-id",)
    sortable_by = ()
    empty_value_display = ""
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER
    actions = [_action(act.kind) for act in ACTS.values() if not act.alone]  # type: ignore[assignment]

    class Media:
        css = {"all": ("staff/pages.css",)}

    # --- the list -------------------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SagaChangeList]:
        return SagaChangeList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Sagas", **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Saga]:
        return Saga.objects.defer("context")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The filters of the side bar and nothing else: other columns may have no index."""
        return lookup in {f.parameter_name for f in filters.ALL}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Saga], search_term: str
    ) -> tuple[QuerySet[Saga], bool]:
        return (queries.search(queryset, search_term) if search_term.strip() else queryset), False

    @admin.display(description="saga")
    def what(self, saga: Saga) -> SafeString:
        """Its label, and under it what it is and its reference."""
        return format_html(
            '{}<span class="wb-sub">{} {}</span>',
            saga.label or saga.reference,
            words(saga.definition),
            saga.reference if saga.label not in ("", saga.reference) else "",
        )

    @admin.display(description="state and hold")
    def stands(self, saga: Saga) -> SafeString:
        """Where it stands, and why it stands still; the code that turned it back."""
        code = "" if saga.cause == Saga.Cause.INTENT else saga.cause_code
        return format_html('{}<span class="wb-sub">{}</span>', display.badges(saga), code)

    @admin.display(description="steps")
    def steps(self, saga: Any) -> SafeString:
        """The bar."""
        return display.bar(saga.bar)

    @admin.display(description="amount")
    def amount(self, saga: Saga) -> SafeString:
        """The money in it."""
        return format_html('<span class="wb-num">{}</span>', money(saga.amount_minor, saga.currency))

    @admin.display(description="waits for")
    def waits(self, saga: Any) -> SafeString | str:
        """What it waits for and since when; nothing once it has ended."""
        if not saga.waits.what:
            return ""
        since = display.age(saga.waits.since, saga.seen_at)
        return format_html(
            '<span class="wb-waits wb-{}">{}</span><span class="wb-sub">for {}</span>',
            saga.waits.look,
            saga.waits.what,
            since,
        )

    @admin.display(description="started")
    def started(self, saga: Any) -> SafeString | str:
        """When it began; how long it took if it has ended."""
        took = f"took {display.span(saga.finished_at - saga.started_at)}" if saga.finished_at else ""
        return format_html(
            '{}<span class="wb-sub">{}</span>', display.when(saga.started_at, saga.seen_at), took
        )

    # --- one saga -------------------------------------------------------------------------------------------

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The story of one saga."""
        saga = Saga.objects.filter(pk=id_in(object_id)).first()
        if saga is None:
            raise Http404
        if not self.has_view_permission(request, saga):
            raise PermissionDenied
        context = self._context(request, story(saga, now=timezone.now()))
        return TemplateResponse(request, "admin/sagas/saga/story.html", context)

    # --- acts -----------------------------------------------------------------------------------------------

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may change sagas may act on them."""
        return request.user.has_perm("sagas.change_saga")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [path("act/<slug:kind>/", view(self.act_view), name="sagas_saga_act")]
        return [*own, *platform.urls(self.admin_site), *super().get_urls()]

    def act_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """Ask for a reason, then call one command and show one message."""
        if not self.has_operate_permission(request):
            raise PermissionDenied
        act = ACTS.get(kind)
        sent = request.POST if request.method == "POST" else request.GET
        sagas = preview.sagas_in_order([id_in(text) for text in sent.getlist("saga")[:MOST_AT_ONCE]])
        if act is None or not sagas or (act.alone and len(sagas) > 1):
            raise Http404
        back = _safe(request, sent.get("back", ""))
        if request.method != "POST":
            return self.act_page(request, act, sagas, back=back)
        form = act.form(request.POST, sagas=sagas)
        if form.is_valid() and self._acted(request, act, sagas, form):
            return HttpResponseRedirect(back or _home(sagas))
        return self.act_page(request, act, sagas, back=back, form=form)

    def _acted(self, request: HttpRequest, act: Act, sagas: list[Saga], form: SagaForm) -> bool:
        ids = [saga.pk for saga in sagas]
        try:
            act.run(ids, form.cleaned_data, request.user.get_username(), timezone.now())
        except Refused as refused:
            form.add_error(None, refused.detail or refused.code)
            return False
        named = sagas[0].label or sagas[0].reference if len(sagas) == 1 else f"{len(sagas)} sagas"
        messages.success(
            request, f"{act.label}: asked for {named}. The saga's page tells what becomes of it."
        )
        return True

    def act_page(
        self, request: HttpRequest, act: Act, sagas: list[Saga], *, back: str, form: SagaForm | None = None
    ) -> HttpResponse:
        """What the act would do to exactly these sagas, and the question for a reason."""
        now = timezone.now()
        foreseen = [] if act.kind == "skip" else preview.foresee(act.kind, sagas, now=now)
        context = {
            "title": f"{act.label}?",
            "act": act,
            "form": form or act.form(sagas=sagas),
            "sagas": sagas,
            "single": sagas[0] if len(sagas) == 1 else None,
            "foreseen": foreseen[:SHOWN],
            "more": max(0, len(sagas) - SHOWN),
            "outcomes": _outcomes(foreseen),
            "money": purse(_by_currency(sagas)),
            "back": back,
            "now": now,
        }
        return TemplateResponse(request, "admin/sagas/saga/act.html", self._context(request, context))

    def _context(self, request: HttpRequest, more: dict[str, Any]) -> dict[str, Any]:
        may = self.has_operate_permission(request)
        return {**self.admin_site.each_context(request), "opts": self.opts, "may_operate": may, **more}


def _outcomes(foreseen: Iterable[preview.Foreseen]) -> list[tuple[str, bool, int, str]]:
    """How many sagas each answer awaits, with the money in them, most frequent first."""
    groups: dict[tuple[str, bool], list[Saga]] = {}
    for one in foreseen:
        said = preview.in_words(one.answer, refused=not one.possible)
        groups.setdefault((said, one.possible), []).append(one.saga)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return [(said, ok, len(found), purse(_by_currency(found))) for (said, ok), found in ordered]


def _by_currency(sagas: Iterable[Saga]) -> dict[str, int]:
    found: dict[str, int] = {}
    for saga in sagas:
        found[saga.currency] = found.get(saga.currency, 0) + saga.amount_minor
    return found


def _home(sagas: list[Saga]) -> str:
    if len(sagas) == 1:
        return reverse("admin:sagas_saga_change", args=[sagas[0].pk])
    return reverse("admin:sagas_saga_changelist")


def _safe(request: HttpRequest, back: str) -> str:
    """Where to go afterwards, if it is a page of ours."""
    hosts = {request.get_host()}
    return (
        back
        if back and url_has_allowed_host_and_scheme(back, hosts, require_https=request.is_secure())
        else ""
    )
