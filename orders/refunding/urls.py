"""Addresses of the staff page "Refunds"."""

from __future__ import annotations

from django.urls import path

from orders.refunding import views

app_name = "refunds"
urlpatterns = [
    path("", views.page, name="page"),
    path("orders/<uuid:order_id>/", views.order, name="order"),
    path("<uuid:request_id>/", views.refund, name="refund"),
    path("<uuid:request_id>/approve/", views.approve, name="approve"),
    path("<uuid:request_id>/close/", views.close, name="close"),
    path("<uuid:request_id>/decline/", views.decline, name="decline"),
]
