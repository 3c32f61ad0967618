"""Every address of the system."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import health, telemetry

urlpatterns = [
    path("", RedirectView.as_view(url="/staff/")),
    path("staff/money/", include("payments.urls")),
    path("staff/refunds/", include("orders.refunding.urls")),
    path("staff/parcels/", include("orders.parcelling.urls")),
    path("staff/returns/", include("orders.returns.urls")),
    path("staff/", include("sagas.urls")),
    path("admin/", admin.site.urls),
    path("api/", include("config.api.urls")),
    path("webhooks/", include("sagas.inbox.urls")),
    path("health/live", health.live, name="live"),
    path("health/ready", health.ready, name="ready"),
    path("metrics", telemetry.metrics, name="metrics"),
]

handler400 = "config.api.documents.bad_request"
handler404 = "config.api.documents.not_found"
handler500 = "config.api.documents.server_error"
