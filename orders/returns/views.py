"""The staff page "Returns": opening them, and saying at the desk what came and what is accepted of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from orders.models import Order
from orders.returns import commands, opening, queries
from orders.returns.aggregate import Return
from orders.returns.forms import InspectForm, OpenForm, ReasonForm, ReceiveForm
from orders.returns.states import Origin, State
from sagas.clock import database_now
from sagas.money import money
from sagas.verdicts import Refused
from sagas.web.staff import Act, attempt, need, show_page, staff_only

VIEW, OPEN, LATE = "orders.view_return", "orders.open_return", "orders.open_late_return"
RECEIVE, INSPECT = "orders.receive_return", "orders.inspect_return"
ANY = (VIEW, OPEN, RECEIVE, INSPECT)


@require_safe
@never_cache
@staff_only
def page(request: HttpRequest) -> HttpResponse:
    """The returns of one state, open ones oldest first: what came and has to be inspected comes first."""
    need(request, *ANY)
    state = request.GET.get("state", State.RECEIVED.value)
    if state not in State.values:
        raise Http404
    found, following = queries.list_returns(state, after=_id(request.GET.get("after", "")))
    context = {
        "title": "Returns", "state": state, "returns": found, "following": following,
        "open": queries.open_by_state(), "ended": [State.CLOSED.value, State.WITHDRAWN.value],
    }  # fmt: skip
    return show_page(request, "staff/returns/page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@staff_only
def order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """The returns of one order, and the form to open another."""
    need(request, *ANY)
    found = get_object_or_404(Order, pk=order_id)
    return _open(request, found) if request.method == "POST" else _show_order(request, found)


@require_safe
@never_cache
@staff_only
def detail(request: HttpRequest, return_id: UUID) -> HttpResponse:
    """One return, and what may be done with it where it stands."""
    need(request, *ANY)
    return _show(request, _get(return_id))


@require_http_methods(["POST"])
@staff_only
def receive(request: HttpRequest, return_id: UUID) -> HttpResponse:
    """Say what came."""
    need(request, RECEIVE)
    back = _get(return_id)
    form = ReceiveForm(back, queries.lines_of(back.order_id), request.POST)

    def act(actor: str, now: datetime) -> None:
        commands.receive_return(
            return_id, came=form.came(), unexpected=form.cleaned_data["unexpected"], actor=actor,
            reason=form.cleaned_data["reason"], now=now,
        )  # fmt: skip

    return _decide(
        request, back, form, shown_as="receive_form", act=act, done="Received. It waits for its inspection."
    )


@require_http_methods(["POST"])
@staff_only
def inspect(request: HttpRequest, return_id: UUID) -> HttpResponse:
    """Decide on every piece that came."""
    need(request, INSPECT)
    back = _get(return_id)
    form = InspectForm(back, request.POST)

    def act(actor: str, now: datetime) -> None:
        reason = form.cleaned_data["reason"]
        commands.inspect_return(return_id, findings=form.findings(), actor=actor, reason=reason, now=now)

    return _decide(
        request,
        back,
        form,
        shown_as="inspect_form",
        act=act,
        done="Inspected. What is accepted is being refunded.",
    )


@require_http_methods(["POST"])
@staff_only
def withdraw(request: HttpRequest, return_id: UUID) -> HttpResponse:
    """Nothing comes back after all."""
    need(request, OPEN)
    form = ReasonForm(request.POST, auto_id="withdraw_%s")

    def act(actor: str, now: datetime) -> None:
        commands.withdraw_return(return_id, actor=actor, reason=form.cleaned_data["reason"], now=now)

    return _decide(
        request,
        _get(return_id),
        form,
        shown_as="withdraw_form",
        act=act,
        done="Withdrawn. Its pieces are free again.",
    )


def _open(request: HttpRequest, found: Order) -> HttpResponse:
    need(request, OPEN)
    form, status, trouble = _open_form(request, found, request.POST), 400, ""
    if form.is_valid():
        data = form.cleaned_data
        try:
            opened = opening.request_return(
                found.pk, wishes=form.wishes(), actor=request.user.get_username(), reason=data["reason"],
                now=database_now(), origin=Origin.STAFF, even_late=data.get("even_late", False),
                return_id=data["return_id"],
            )  # fmt: skip
        except Refused as refused:
            status, trouble = 409, refused.detail or refused.code
        else:
            messages.success(
                request, f"Return {opened.number} waits for its goods until {opened.due_at:%Y-%m-%d}."
            )
            return HttpResponseRedirect(reverse("returns:return", args=[opened.id]))
    return _show_order(request, found, form, status=status, trouble=trouble)


def _open_form(request: HttpRequest, found: Order, data: Any = None) -> OpenForm:
    lines, free = queries.lines_of(found.pk), queries.free_of(found.pk)
    return OpenForm(lines, free, data, may_be_late=request.user.has_perm(LATE))


def _show_order(
    request: HttpRequest, found: Order, form: OpenForm | None = None, *, status: int = 200, trouble: str = ""
) -> HttpResponse:
    form = form or _open_form(request, found)
    context = {
        "title": f"Returns of order {found.external_reference}", "order": found, "form": form, "trouble": trouble,
        "returns": queries.returns_of(found.pk), "handed_over": found.state in (Order.State.PROCESSING,
                                                                                Order.State.COMPLETED),
        "may_open": request.user.has_perm(OPEN) and any(form.free.values()),
    }  # fmt: skip
    return show_page(request, "staff/returns/order.html", context, status=status)


def _decide(
    request: HttpRequest, back: Return, form: forms.Form, *, shown_as: str, act: Act, done: str
) -> HttpResponse:
    if trouble := attempt(request, form, act):
        status, words = trouble
        return _show(request, _get(back.id), status=status, trouble=words, **{shown_as: form})
    messages.success(request, done)
    return HttpResponseRedirect(reverse("returns:return", args=[back.id]))


def _show(
    request: HttpRequest, back: Return, *, status: int = 200, trouble: str = "", **shown: Any
) -> HttpResponse:
    """The page of a return. `shown` are forms that were sent and did not do."""
    found = Order.objects.get(pk=back.order_id)
    receive_form = shown.get("receive_form") or ReceiveForm(back, queries.lines_of(back.order_id))
    inspect_form = shown.get("inspect_form") or InspectForm(back)
    context = {
        "title": f"Return {back.number} of order {found.external_reference}", "back": back, "order": found,
        "refund": money(back.refund_minor, found.currency), "credit": money(back.credit_minor, found.currency),
        **_may(request, back),
        "receive_form": receive_form, "came": receive_form.by_line(back),
        "inspect_form": inspect_form, "findings": inspect_form.by_line(),
        "withdraw_form": shown.get("withdraw_form") or ReasonForm(auto_id="withdraw_%s"), "trouble": trouble,
    }  # fmt: skip
    return show_page(request, "staff/returns/return.html", context, status=status)


def _may(request: HttpRequest, back: Return) -> dict[str, bool]:
    has, state = request.user.has_perm, back.state
    return {
        "may_receive": state is State.REQUESTED and has(RECEIVE),
        "may_inspect": state is State.RECEIVED and has(INSPECT),
        "may_withdraw": has(OPEN) and commands.may_withdraw(back),
    }


def _get(return_id: UUID) -> Return:
    found = queries.get_return(return_id)
    if found is None:
        raise Http404
    return found


def _id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Http404 from error
