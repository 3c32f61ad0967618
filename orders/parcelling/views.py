"""The staff page of an order's parcels: what became of them, what is free, and the form to ask for another."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from orders.parcelling import reads
from orders.parcelling.cancelling import Because, cancel_parcel
from orders.parcelling.commands import ask_parcel
from orders.parcelling.forms import ParcelForm
from orders.parcelling.reads import Shippable
from sagas.money import money
from sagas.web.staff import Act, ReasonForm, attempt, need, show_page, staff_only

VIEW, ASK = "orders.view_fulfilmentorder", "orders.ship_parcel"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@staff_only
def order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """The parcels of one order, and the form to ask for another."""
    need(request, VIEW, ASK)
    found = _get(order_id)
    return _ask(request, found) if request.method == "POST" else _show(request, found, ParcelForm(found))


@require_http_methods(["POST"])
@staff_only
def cancel(request: HttpRequest, order_id: UUID, parcel_id: UUID) -> HttpResponse:
    """Take one parcel back."""
    need(request, ASK)
    found, form = _get(order_id), ReasonForm(request.POST)

    def act(actor: str, now: datetime) -> None:
        because = Because(actor=actor, reason=form.cleaned_data["reason"])
        cancel_parcel(order_id, parcel_id, because=because, now=now)
        messages.success(request, "What was done for the parcel is being given back.")

    return _carry_out(request, found, form, act, shown=ParcelForm(found))


def _ask(request: HttpRequest, found: Shippable) -> HttpResponse:
    need(request, ASK)
    form = ParcelForm(found, request.POST)

    def act(actor: str, now: datetime) -> None:
        data = form.cleaned_data
        parcel = ask_parcel(
            found.order.pk, form.pieces(), actor=actor, reason=data["reason"], now=now, request_id=data["request_id"]
        )  # fmt: skip
        share = money(parcel.share_minor, parcel.currency)
        messages.success(request, f"Parcel {parcel.number} is on its way to the carrier. It takes {share}.")

    return _carry_out(request, found, form, act, shown=form)


def _carry_out(
    request: HttpRequest, found: Shippable, form: forms.Form, act: Act, *, shown: ParcelForm
) -> HttpResponse:
    if trouble := attempt(request, form, act):
        status, words = trouble
        return _show(request, found, shown, status=status, trouble=words or _missing(form, shown))
    return HttpResponseRedirect(reverse("parcels:order", args=[found.order.pk]))


def _missing(form: forms.Form, shown: ParcelForm) -> str:
    """What to say of a form whose own fields are not shown again."""
    return "" if form is shown else "A reason is needed."


def _get(order_id: UUID) -> Shippable:
    found = reads.shippable(order_id)
    if found is None:
        raise Http404
    return found


def _show(
    request: HttpRequest, found: Shippable, form: ParcelForm, *, status: int = 200, trouble: str = ""
) -> HttpResponse:
    context = {
        "title": f"Parcels of order {found.order.external_reference}", "order": found.order, "form": form,
        "lines": form.asked_lines(), "trouble": trouble,
        "parcels": [(one, money(one.share_minor, one.currency)) for one in found.parcels],
        "may_ask": request.user.has_perm(ASK) and found.possible, "may_cancel": request.user.has_perm(ASK),
    }  # fmt: skip
    return show_page(request, "staff/parcels/order.html", context, status=status)
