"""Addresses of the staff page "Money"."""

from __future__ import annotations

from django.urls import path

from payments import views

app_name = "money"
urlpatterns = [
    path("", views.page, name="page"),
    path("cases/<uuid:case_id>/", views.case, name="case"),
    path("cases/<uuid:case_id>/resolve/", views.resolve, name="resolve"),
    path("cases/<uuid:case_id>/look-again/", views.look_again, name="look_again"),
]
