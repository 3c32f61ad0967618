"""Shares of which the provider cannot tell what became of them: the form in which a person says it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from payments.commands.settling import decide_share
from payments.models import Capture
from sagas.money import money
from sagas.web.staff import ReasonForm, attempt, need, show_page, staff_only

VIEW, SETTLE = "payments.view_capture", "payments.settle_share"
TAKEN, NOT_TAKEN = "taken", "not_taken"


class SettleForm(ReasonForm):
    """What became of it, and how they know."""

    outcome = forms.ChoiceField(
        choices=[("", "Choose…"), (TAKEN, "It was taken"), (NOT_TAKEN, "It was not taken, and will not be")],
        label="What the provider's own pages say",
    )
    field_order = ("outcome", "reason")


@require_safe
@never_cache
@staff_only
def share(request: HttpRequest, share_id: UUID) -> HttpResponse:
    """One share: where it stands, and what may be said of it."""
    need(request, VIEW, SETTLE)
    return _show(request, _found(share_id), SettleForm())


@require_http_methods(["POST"])
@staff_only
def settle(request: HttpRequest, share_id: UUID) -> HttpResponse:
    """Settle it by a person's word."""
    need(request, SETTLE)
    form = SettleForm(request.POST)

    def act(actor: str, now: datetime) -> None:
        data = form.cleaned_data
        is_taken = data["outcome"] == TAKEN
        decide_share(share_id, is_taken=is_taken, actor=actor, reason=data["reason"], now=now)

    if trouble := attempt(request, form, act):
        status, words = trouble
        return _show(request, _found(share_id), form, status=status, trouble=words)
    messages.success(request, "Recorded. Its saga goes on by itself, and so do parcels that waited for it.")
    return HttpResponseRedirect(reverse("money:share", args=[share_id]))


def _found(share_id: UUID) -> Capture:
    return get_object_or_404(Capture.objects.select_related("payment"), pk=share_id)


def _show(
    request: HttpRequest, one: Capture, form: SettleForm, *, status: int = 200, trouble: str = ""
) -> HttpResponse:
    context: dict[str, Any] = {
        "title": f"Share of {one.payment.reference}", "share": one, "form": form, "trouble": trouble,
        "amount": money(one.amount_minor, one.payment.currency),
        "before": money(one.before_minor, one.payment.currency),
        "may_settle": request.user.has_perm(SETTLE) and one.state in Capture.OPEN,
    }  # fmt: skip
    return show_page(request, "staff/money/share.html", context, status=status)
