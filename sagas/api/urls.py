"""Addresses of sagas below /api/v1/."""

from __future__ import annotations

from django.urls import path

from sagas.api.views import SagaDetail, Sagas

urlpatterns = [
    path("sagas", Sagas.as_view(), name="api-sagas"),
    path("sagas/<uuid:saga_id>", SagaDetail.as_view(), name="api-saga"),
]
