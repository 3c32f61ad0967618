"""Everything below /api/."""

from __future__ import annotations

from django.urls import include, path, re_path
from django.views.decorators.cache import cache_page
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config.api import documents

#: The description changes only with the code, and is slow to make.
SCHEMA_SECONDS = 60

urlpatterns = [
    path("v1/", include("orders.api.urls")),
    path("v1/", include("sagas.api.urls")),
    path("v1/", include("inventory.api.urls")),
    path("v1/", include("payments.api.urls")),
    path("v1/", include("sagas.webhooks.api.urls")),
    path("schema/", cache_page(SCHEMA_SECONDS)(SpectacularAPIView.as_view()), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("problems/", documents.catalogue, name="api-problems"),
    re_path(r"^v1/(?P<rest>.*)$", documents.unknown_address),
]
