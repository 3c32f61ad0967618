"""People, for those who answer their letters: found by what the letter says, erased with a reason."""

# ruff: noqa: ARG002 - the signatures are Django's

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sagas import display, erasure
from sagas.admin.acts import ReasonForm, id_in
from sagas.personal import Erasure, Person
from sagas.read_only import ReadOnlyAdmin
from sagas.verdicts import Refused

MOST_AT_ONCE = 200

#: What is said of each fate, before and after.
FORESEEN = {
    "erased": "will be erased now",
    "waiting": "will be erased when what is open has ended",
    "erased before": "was erased before",
}


class ErasureForm(ReasonForm):
    """The reason outlives the person."""

    reason = forms.CharField(
        max_length=500,
        label="Reason",
        help_text="Kept for ever, together with your name. Write a letter's number, never who it is about.",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 70, "autofocus": True}),
    )


@admin.action(description="Erase…", permissions=["erase"])
def erase(model_admin: PersonAdmin, request: HttpRequest, queryset: QuerySet[Person]) -> HttpResponse:
    """Show what would happen to these people and ask for a reason."""
    ids = list(queryset.values_list("pk", flat=True)[:MOST_AT_ONCE])
    return model_admin.ask_page(request, ids, ErasureForm())


@admin.register(Person)
class PersonAdmin(ReadOnlyAdmin):
    """Nobody is listed who was not asked for. Read-only but for erasing."""

    list_display = ("id", "shop_id", "reference", "name", "email", "erasing")
    list_display_links = None
    search_fields = ("email",)
    search_help_text = "Exactly: an e-mail address, a shop's reference of a customer, or the id of a person."
    ordering = ("id",)
    sortable_by = ()
    actions = [erase]  # type: ignore[assignment]
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ("staff/pages.css",)}

    def has_erase_permission(self, request: HttpRequest) -> bool:
        """Who may change people may erase them."""
        return request.user.has_perm("sagas.change_person")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "People", **(extra_context or {})})

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """People are searched, not leafed through."""
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Person], search_term: str
    ) -> tuple[QuerySet[Person], bool]:
        return queryset.filter(pk__in=erasure.search_people(search_term.strip())), False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Person]:
        wish = Erasure.objects.filter(person_id=OuterRef("pk"))
        people: QuerySet[Person] = super().get_queryset(request)
        return people.annotate(asked_by=Subquery(wish.values("actor")))

    @admin.display(description="erased")
    def erasing(self, person: Any) -> SafeString | str:
        """When, or that it waits."""
        if person.erased_at is not None:
            return display.when(person.erased_at, timezone.now())
        return format_html("waits, asked by {}", person.asked_by) if person.asked_by else ""

    def get_urls(self) -> list[URLPattern]:
        own = path("erase/", self.admin_site.admin_view(self.erase_view), name="sagas_person_erase")
        return [own, *super().get_urls()]

    def erase_view(self, request: HttpRequest) -> HttpResponse:
        """Call the one command for exactly these people, and show one message."""
        if not self.has_erase_permission(request):
            raise PermissionDenied
        ids = [id_in(text) for text in request.POST.getlist("person")[:MOST_AT_ONCE]]
        if not ids:
            raise Http404
        form = ErasureForm(request.POST)
        if not form.is_valid() or not self._erased(request, ids, form):
            return self.ask_page(request, ids, form)
        return HttpResponseRedirect(reverse("admin:sagas_person_changelist"))

    def _erased(self, request: HttpRequest, ids: list[UUID], form: ErasureForm) -> bool:
        actor, reason = request.user.get_username(), form.cleaned_data["reason"]
        try:
            told = erasure.erase_people(ids, actor=actor, reason=reason, now=timezone.now())
        except Refused as refused:
            form.add_error(None, refused.detail or refused.code)
            return False
        waiting = sum(one.fate == "waiting" for one in told)
        messages.success(request, f"Erased: {len(told) - waiting}. Waiting for what is open: {waiting}.")
        return True

    def ask_page(self, request: HttpRequest, ids: list[UUID], form: ErasureForm) -> HttpResponse:
        """What will happen to each of them, by id, and the question for a reason."""
        context = {
            **self.admin_site.each_context(request),
            "title": f"Erase {len(ids)} {'person' if len(ids) == 1 else 'people'}?",
            "explains": "Name, e-mail, address and the shop's name for them go for good. Orders and amounts stay.",
            "verb": "Erase",
            "form": form,
            "foreseen": [(one, FORESEEN[one.fate]) for one in erasure.foresee(ids)],
            "hidden": [("person", id_) for id_ in ids],
            "action": reverse("admin:sagas_person_erase"),
            "back": reverse("admin:sagas_person_changelist"),
            "grave": True,
        }
        return TemplateResponse(request, "admin/sagas/person/erase.html", context)
