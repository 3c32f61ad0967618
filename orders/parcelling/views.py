"""The staff page of an order's parcels: what became of them, what is free, and the form to ask for another."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.decorators import user_passes_test
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from orders.parcelling import reads
from orders.parcelling.cancelling import Because, cancel_parcel
from orders.parcelling.commands import ask_parcel
from orders.parcelling.forms import CancelForm, ParcelForm
from orders.parcelling.reads import Shippable
from sagas.clock import database_now
from sagas.money import money
from sagas.verdicts import Refused

VIEW, ASK = "orders.view_fulfilmentorder", "orders.ship_parcel"


def _is_staff(user: AbstractBaseUser | AnonymousUser) -> bool:
    return bool(user.is_active and getattr(user, "is_staff", False))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@user_passes_test(_is_staff, login_url="admin:login")
def order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """The parcels of one order, and the form to ask for another."""
    if not request.user.has_perm(ASK) and (request.method == "POST" or not request.user.has_perm(VIEW)):
        raise PermissionDenied
    found = reads.shippable(order_id)
    if found is None:
        raise Http404
    return _ask(request, found) if request.method == "POST" else _show(request, found, ParcelForm(found))


def _ask(request: HttpRequest, found: Shippable) -> HttpResponse:
    form, status, trouble = ParcelForm(found, request.POST), 400, ""
    if form.is_valid():
        data = form.cleaned_data
        try:
            parcel = ask_parcel(
                found.order.pk, form.pieces(), actor=request.user.get_username(), reason=data["reason"],
                now=database_now(), request_id=data["request_id"],
            )  # fmt: skip
        except Refused as refused:
            status, trouble = 409, refused.detail or refused.code
        else:
            share = money(parcel.share_minor, parcel.currency)
            messages.success(
                request, f"Parcel {parcel.number} is on its way to the carrier. It takes {share}."
            )
            return HttpResponseRedirect(reverse("parcels:order", args=[found.order.pk]))
    return _show(request, found, form, status=status, trouble=trouble)


@require_http_methods(["POST"])
@user_passes_test(_is_staff, login_url="admin:login")
def cancel(request: HttpRequest, order_id: UUID, parcel_id: UUID) -> HttpResponse:
    """Take one parcel back."""
    if not request.user.has_perm(ASK):
        raise PermissionDenied
    found = reads.shippable(order_id)
    if found is None:
        raise Http404
    form, status, trouble = CancelForm(request.POST), 400, "A reason is needed."
    if form.is_valid():
        because = Because(actor=request.user.get_username(), reason=form.cleaned_data["reason"])
        try:
            cancel_parcel(order_id, parcel_id, because=because, now=database_now())
        except Refused as refused:
            status, trouble = 409, refused.detail or refused.code
        else:
            messages.success(request, "What was done for the parcel is being given back.")
            return HttpResponseRedirect(reverse("parcels:order", args=[order_id]))
    return _show(request, found, ParcelForm(found), status=status, trouble=trouble)


def _show(
    request: HttpRequest, found: Shippable, form: ParcelForm, *, status: int = 200, trouble: str = ""
) -> HttpResponse:
    context = {
        **admin.site.each_context(request), "now": database_now(), "is_nav_sidebar_enabled": False,
        "title": f"Parcels of order {found.order.external_reference}", "order": found.order, "form": form,
        "lines": form.asked_lines(), "trouble": trouble,
        "parcels": [(one, money(one.share_minor, one.currency)) for one in found.parcels],
        "may_ask": request.user.has_perm(ASK) and found.possible, "may_cancel": request.user.has_perm(ASK),
    }  # fmt: skip
    return TemplateResponse(request, "staff/parcels/order.html", context, status=status)
