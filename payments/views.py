"""The staff page "Money": what the provider's record and ours do not agree about, and what a person does about it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from payments.commands import cases as commands
from payments.reconciliation import reads
from payments.reconciliation.rows import Case
from sagas.money import money
from sagas.web.staff import Act, ReasonForm, attempt, need, show_page, staff_only

VIEW, CHANGE = "payments.view_case", "payments.change_case"


class ResolveForm(ReasonForm):
    """How it was settled, and why."""

    how = forms.ChoiceField(
        choices=[("", "Choose…"), *((how.value, how.label) for how in Case.How)], label="How it was settled"
    )
    field_order = ("how", "reason")


@require_safe
@never_cache
@staff_only
def page(request: HttpRequest) -> HttpResponse:
    """Open cases with filters, the last runs, and the trial balance."""
    need(request, VIEW, CHANGE)
    state = _among(request.GET.get("state", ""), Case.State.values) or Case.State.OPEN.value
    kind = _among(request.GET.get("kind", ""), Case.Kind.values)
    found, after = reads.list_cases(state=state, kind=kind, before=_uuid(request.GET.get("before", "")))
    balanced_at, balance, sums = reads.kept_balance.get()
    context = {
        "title": "Money", "kinds": reads.open_kinds(), "runs": reads.last_runs(), "state": state, "kind": kind,
        "states": Case.State.values, "after": after,
        "cases": [(case, money(case.at_stake_minor, case.currency)) for case in found],
        "balanced_at": balanced_at, "balance": balance, "sums": sums,
    }  # fmt: skip
    return show_page(request, "staff/money/page.html", context)


@require_safe
@never_cache
@staff_only
def case(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Both sides of one case, and what may be done."""
    need(request, VIEW, CHANGE)
    return _show(request, get_object_or_404(Case, pk=case_id))


@require_http_methods(["POST"])
@staff_only
def resolve(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Settle a case by a person's word."""
    form = ResolveForm(request.POST)

    def act(actor: str, now: datetime) -> None:
        data = form.cleaned_data
        commands.resolve_case(case_id, how=data["how"], actor=actor, reason=data["reason"], now=now)

    return _act(request, case_id, form, shown_as="resolve_form", act=act, done="The case is resolved.")


@require_http_methods(["POST"])
@staff_only
def look_again(request: HttpRequest, case_id: UUID) -> HttpResponse:
    """Have the saga behind a case ask the provider again."""
    form = ReasonForm(request.POST, auto_id="look_%s")

    def act(actor: str, now: datetime) -> None:
        commands.look_again(case_id, actor=actor, reason=form.cleaned_data["reason"], now=now)

    done = "The saga asks again. The next reconciliation closes the case when both sides agree."
    return _act(request, case_id, form, shown_as="look_form", act=act, done=done)


def _act(
    request: HttpRequest, case_id: UUID, form: forms.Form, *, shown_as: str, act: Act, done: str
) -> HttpResponse:
    need(request, CHANGE)
    one = get_object_or_404(Case, pk=case_id)
    if trouble := attempt(request, form, act):
        status, words = trouble
        return _show(request, one, status=status, trouble=words, **{shown_as: form})
    messages.success(request, done)
    return HttpResponseRedirect(reverse("money:case", args=[case_id]))


def _show(
    request: HttpRequest, one: Case, *, status: int = 200, trouble: str = "", **shown: forms.Form
) -> HttpResponse:
    may = request.user.has_perm(CHANGE) and one.state == Case.State.OPEN
    context = {
        "title": f"{one.get_kind_display()} · {one.object_id}", "case": one, "sides": reads.sides_of(one),
        "at_stake": money(one.at_stake_minor, one.currency), "may_act": may,
        "may_look": may and commands.may_look_again(one),
        "resolve_form": ResolveForm(), "look_form": ReasonForm(auto_id="look_%s"),
        "trouble": trouble, **shown,
    }  # fmt: skip
    return show_page(request, "staff/money/case.html", context, status=status)


def _among(text: str, known: list[str]) -> str:
    return text if text in known else ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
