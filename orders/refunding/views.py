"""The staff page "Refunds": asking for one, and deciding as a second person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from orders.refunding import commands, reads
from orders.refunding.ending import close_owed, is_closable
from orders.refunding.forms import AskForm
from orders.refunding.limits import limit_of
from orders.refunding.models import RefundRequest
from orders.refunding.reads import Refundable
from sagas.clock import database_now
from sagas.money import money
from sagas.verdicts import Refused
from sagas.web.staff import Act, ReasonForm, attempt, need, show_page, staff_only

VIEW, ASK, APPROVE = "orders.view_refundrequest", "orders.ask_refund", "orders.approve_refund"
State = RefundRequest.State
May = Callable[[HttpRequest, RefundRequest], bool]


@require_safe
@never_cache
@staff_only
def page(request: HttpRequest) -> HttpResponse:
    """What waits for a second person, and what is owed because the provider could not pay."""
    need(request, VIEW, ASK, APPROVE)
    context = {
        "title": "Refunds",
        "waiting": [(one, money(one.amount_minor, one.currency)) for one in reads.listed(State.AWAITING_APPROVAL)],
        "owed": [(one, money(one.owed_minor, one.currency)) for one in reads.listed(State.OWED)],
    }  # fmt: skip
    return show_page(request, "staff/refunds/page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@staff_only
def order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """The refunds of one order, and the form to ask for another."""
    need(request, VIEW, ASK, APPROVE)
    found = reads.refundable(order_id)
    if found is None:
        raise Http404
    return _ask(request, found) if request.method == "POST" else _show_order(request, found, AskForm(found))


@require_safe
@never_cache
@staff_only
def refund(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """One request, and what may be decided about it."""
    need(request, VIEW, ASK, APPROVE)
    return _show(request, _get(request_id))


@require_http_methods(["POST"])
@staff_only
def approve(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Say yes as a second person."""
    form = ReasonForm(request.POST, auto_id="approve_%s")

    def act(actor: str, now: datetime) -> None:
        commands.approve_refund(request_id, actor=actor, reason=form.cleaned_data["reason"], now=now)

    return _decide(
        request, request_id, form, may=_may_approve, shown_as="approve_form", act=act, done="It is being paid back."
    )  # fmt: skip


@require_http_methods(["POST"])
@staff_only
def decline(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Say no, or take back what one has asked for."""
    form = ReasonForm(request.POST, auto_id="decline_%s")

    def act(actor: str, now: datetime) -> None:
        commands.decline_refund(request_id, actor=actor, reason=form.cleaned_data["reason"], now=now)

    return _decide(
        request, request_id, form, may=_may_decline, shown_as="decline_form", act=act, done="Declined. Nothing moves."
    )  # fmt: skip


@require_http_methods(["POST"])
@staff_only
def close(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """End what is owed although no refund stands behind it."""
    form = ReasonForm(request.POST, auto_id="close_%s")

    def act(actor: str, now: datetime) -> None:
        close_owed(request_id, actor=actor, reason=form.cleaned_data["reason"], now=now)

    return _decide(
        request, request_id, form, may=_may_approve, shown_as="close_form", act=act, done="Closed: it is owed no more."
    )  # fmt: skip


def _ask(request: HttpRequest, found: Refundable) -> HttpResponse:
    need(request, ASK)
    form, status, trouble = AskForm(found, request.POST), 400, ""
    if form.is_valid():
        data = form.cleaned_data
        try:
            asked = commands.ask_refund(
                found.order.pk, form.wanted(), actor=request.user.get_username(), reason=data["reason"],
                now=database_now(), request_id=data["request_id"],
            )  # fmt: skip
        except Refused as refused:
            status, trouble = 409, refused.detail or refused.code
        else:
            messages.success(request, _said(asked))
            return HttpResponseRedirect(reverse("refunds:order", args=[found.order.pk]))
    return _show_order(request, found, form, status=status, trouble=trouble)


def _said(asked: RefundRequest) -> str:
    amount = money(asked.amount_minor, asked.currency)
    if asked.state != State.AWAITING_APPROVAL:
        return f"{amount} is being paid back."
    limit = money(limit_of(asked.currency), asked.currency)
    return f"{amount}: above {limit} of one order a second person decides."


def _show_order(
    request: HttpRequest, found: Refundable, form: AskForm, *, status: int = 200, trouble: str = ""
) -> HttpResponse:
    currency = found.order.currency
    context = {
        "title": f"Refunds of order {found.order.external_reference}", "found": found, "order": found.order,
        "left": money(found.left_minor, currency), "promised": money(found.promised_minor, currency),
        "limit": money(limit_of(currency), currency), "form": form, "trouble": trouble,
        "lines": [(line, field, money(line.total_minor, currency)) for line, field in form.asked_lines()],
        "requests": [(one, money(one.amount_minor, one.currency)) for one in found.requests],
        "may_ask": request.user.has_perm(ASK) and found.possible,
    }  # fmt: skip
    return show_page(request, "staff/refunds/order.html", context, status=status)


def _decide(
    request: HttpRequest, request_id: UUID, form: forms.Form, *, may: May, shown_as: str, act: Act, done: str
) -> HttpResponse:
    need(request, ASK, APPROVE)
    if not may(request, _get(request_id)):
        raise PermissionDenied
    if trouble := attempt(request, form, act):
        status, words = trouble
        return _show(request, _get(request_id), status=status, trouble=words, **{shown_as: form})
    messages.success(request, done)
    return HttpResponseRedirect(reverse("refunds:refund", args=[request_id]))


def _show(
    request: HttpRequest, one: RefundRequest, *, status: int = 200, trouble: str = "", **shown: forms.Form
) -> HttpResponse:
    waits = one.state == State.AWAITING_APPROVAL
    context = {
        "title": f"Refund of order {one.order.external_reference}", "one": one,
        "amount": money(one.amount_minor, one.currency), "refunded": money(one.refunded_minor, one.currency),
        "credited": money(one.credited_minor, one.currency), "owed": money(one.owed_minor, one.currency),
        "lines": [(line, money(line["amount_minor"], one.currency)) for line in one.lines],
        "may_decline": waits and _may_decline(request, one),
        "may_approve": waits and _may_approve(request, one) and not _is_own(request, one),
        "may_close": is_closable(one) and _may_approve(request, one), "waits_for": reads.waits_for(one),
        "dropped": money(one.dropped_minor, one.currency),
        "approve_form": ReasonForm(auto_id="approve_%s"), "decline_form": ReasonForm(auto_id="decline_%s"),
        "close_form": ReasonForm(auto_id="close_%s"),
        "trouble": trouble, **shown,
    }  # fmt: skip
    return show_page(request, "staff/refunds/refund.html", context, status=status)


def _may_approve(request: HttpRequest, _: RefundRequest) -> bool:
    return request.user.has_perm(APPROVE)


def _may_decline(request: HttpRequest, one: RefundRequest) -> bool:
    return request.user.has_perm(APPROVE) or (request.user.has_perm(ASK) and _is_own(request, one))


def _is_own(request: HttpRequest, one: RefundRequest) -> bool:
    return one.asked_by == request.user.get_username()


def _get(request_id: UUID) -> RefundRequest:
    return get_object_or_404(RefundRequest.objects.select_related("order"), pk=request_id)
