"""One address, as it is at Waybill."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from benchmarks.load.bare.view import BareOrders


def live(_request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok")


urlpatterns = [path("api/v1/orders", BareOrders.as_view()), path("health/live", live)]
