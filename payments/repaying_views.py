"""Refunds that the provider could not pay: what is owed, and the form that records how it was paid instead."""

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

from payments import queries
from payments.commands.repaying import LONGEST_REFERENCE, repay_refund
from payments.models import Refund
from sagas.money import money
from sagas.web.staff import ReasonForm, attempt, need, show_page, staff_only

VIEW, REPAY = "payments.view_refund", "payments.repay_refund"


class RepayForm(ReasonForm):
    """How it was paid, and why so."""

    reference = forms.CharField(
        max_length=LONGEST_REFERENCE,
        label="Reference of the transfer",
        help_text="Under which the bank finds it. No name and no account number: it is never deleted.",
    )
    field_order = ("reference", "reason")


@require_safe
@never_cache
@staff_only
def failed(request: HttpRequest) -> HttpResponse:
    """What the provider could not pay back, oldest first."""
    need(request, VIEW, REPAY)
    found = queries.failed_refunds()
    context = {
        "title": "Refunds that the provider could not pay",
        "refunds": [(one, money(one.amount_minor, one.currency)) for one in found],
    }
    return show_page(request, "staff/money/refunds.html", context)


@require_safe
@never_cache
@staff_only
def refund(request: HttpRequest, refund_id: UUID) -> HttpResponse:
    """One refund: where it stands, and what may be done about it."""
    need(request, VIEW, REPAY)
    return _show(request, get_object_or_404(Refund, pk=refund_id), RepayForm())


@require_safe
@staff_only
def of_saga(request: HttpRequest, saga_id: UUID) -> HttpResponse:
    """The refund that a saga asked for."""
    need(request, VIEW, REPAY)
    found = get_object_or_404(Refund, saga_id=saga_id)
    return HttpResponseRedirect(reverse("money:refund", args=[found.pk]))


@require_http_methods(["POST"])
@staff_only
def repay(request: HttpRequest, refund_id: UUID) -> HttpResponse:
    """Record that it was paid back another way."""
    need(request, REPAY)
    form = RepayForm(request.POST)

    def act(actor: str, now: datetime) -> None:
        data = form.cleaned_data
        repay_refund(refund_id, reference=data["reference"], actor=actor, reason=data["reason"], now=now)

    if trouble := attempt(request, form, act):
        status, words = trouble
        return _show(request, get_object_or_404(Refund, pk=refund_id), form, status=status, trouble=words)
    messages.success(request, "Recorded: it is owed no more. Its saga goes on by itself.")
    return HttpResponseRedirect(reverse("money:refund", args=[refund_id]))


def _show(
    request: HttpRequest, one: Refund, form: RepayForm, *, status: int = 200, trouble: str = ""
) -> HttpResponse:
    context: dict[str, Any] = {
        "title": f"Refund {one.reference}", "refund": one, "form": form, "trouble": trouble,
        "amount": money(one.amount_minor, one.currency),
        "may_repay": request.user.has_perm(REPAY) and one.state == Refund.State.FAILED,
    }  # fmt: skip
    return show_page(request, "staff/money/refund.html", context, status=status)
