"""Support staff correct where an order goes: a page of its own, since an address is shown nowhere else."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from orders import commands, queries
from orders.models import Order
from sagas.clock import database_now
from sagas.read_only import ReadOnlyAdmin
from sagas.verdicts import Refused

PERMISSION = "orders.change_order"
#: How long each part may be, as the API takes it.
PARTS = {
    "name": 300, "street": 300, "street_2": 300, "postcode": 20, "city": 100, "region": 100, "phone": 50,
}  # fmt: skip


class AddressForm(forms.Form):
    """The address as it is, to be corrected, and why."""

    reason = forms.CharField(
        max_length=200,
        help_text="Kept with the order, together with your name. No personal data: it is never deleted.",
        widget=forms.Textarea(attrs={"rows": 3, "cols": 70}),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for part, most in PARTS.items():
            label = part.replace("_", " ")
            self.fields[part] = forms.CharField(max_length=most, required=False, label=label)
        self.order_fields([*PARTS, "reason"])

    def parts(self) -> dict[str, str]:
        """What the address shall say."""
        return {part: self.cleaned_data[part] for part in PARTS}


class AddressAdmin(ReadOnlyAdmin):
    """An order's page from which its address can be corrected."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.correct_address_view)
        own = path("<uuid:order_id>/address/", view, name="orders_order_address")
        return [own, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page, with the way to the correction for those who may."""
        may = {"may_correct_address": request.user.has_perm(PERMISSION)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **may})

    def correct_address_view(self, request: HttpRequest, order_id: UUID) -> HttpResponse:
        """Show the address as it is, call the one command with what was corrected, and show one message."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        order = Order.objects.filter(pk=order_id).first()
        if order is None:
            raise Http404
        form = AddressForm(request.POST or None, initial=queries.address_of(order_id))
        if request.method == "POST" and form.is_valid() and _corrected(request, order_id, form):
            return HttpResponseRedirect(reverse("admin:orders_order_change", args=[order_id]))
        return self._ask(request, order, form)

    def _ask(self, request: HttpRequest, order: Order, form: AddressForm) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Correct where {order.external_reference} goes",
            "explains": _explain(order),
            "verb": "Correct",
            "form": form,
            "back": reverse("admin:orders_order_change", args=[order.pk]),
        }
        return TemplateResponse(request, "admin/sagas/ask.html", context)


def _explain(order: Order) -> str:
    asked = "Parcels that are asked for from now on go there." if order.in_parcels else (
        "The carrier is asked again with this address."
    )  # fmt: skip
    return f"{asked} Other orders of the customer keep theirs."


def _corrected(request: HttpRequest, order_id: UUID, form: AddressForm) -> bool:
    try:
        answer = commands.correct_address(
            order_id, form.parts(), actor=request.user.get_username(), reason=form.cleaned_data["reason"],
            now=database_now(),
        )  # fmt: skip
    except Refused as refused:
        form.add_error(None, f"{refused.code}: {refused.detail}" if refused.detail else refused.code)
        return False
    told = "the carrier is asked again" if answer.asked_again else "whatever is booked from now on goes there"
    messages.success(request, f"Corrected: {told}.")
    return True
