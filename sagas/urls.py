"""Addresses of the staff page."""

from __future__ import annotations

from django.urls import path

from sagas import views

app_name = "staff"
urlpatterns = [
    path("", views.page, name="board"),
    path("live", views.live, name="live"),
]
