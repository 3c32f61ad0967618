"""Addresses of the staff page of an order's parcels."""

from __future__ import annotations

from django.urls import path

from orders.parcelling import views

app_name = "parcels"
urlpatterns = [
    path("orders/<uuid:order_id>/", views.order, name="order"),
    path("orders/<uuid:order_id>/<uuid:parcel_id>/cancel/", views.cancel, name="cancel"),
]
