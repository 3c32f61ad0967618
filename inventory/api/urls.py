"""Addresses of stock below /api/v1/."""

from __future__ import annotations

from django.urls import path

from inventory.api.views import Stock, StockMovements

urlpatterns = [
    path("stock", Stock.as_view(), name="api-stock"),
    path("stock/movements", StockMovements.as_view(), name="api-stock-movements"),
]
