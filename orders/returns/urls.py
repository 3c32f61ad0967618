"""Addresses of the staff page "Returns"."""

from __future__ import annotations

from django.urls import path

from orders.returns import views

app_name = "returns"
urlpatterns = [
    path("", views.page, name="page"),
    path("orders/<uuid:order_id>/", views.order, name="order"),
    path("<uuid:return_id>/", views.detail, name="return"),
    path("<uuid:return_id>/receive/", views.receive, name="receive"),
    path("<uuid:return_id>/inspect/", views.inspect, name="inspect"),
    path("<uuid:return_id>/withdraw/", views.withdraw, name="withdraw"),
]
