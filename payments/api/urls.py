"""Addresses of payments below /api/v1/."""

from __future__ import annotations

from django.urls import path

from payments.api.views import PaymentOfOrder

urlpatterns = [
    path("orders/<uuid:order_id>/payment", PaymentOfOrder.as_view(), name="api-order-payment"),
]
