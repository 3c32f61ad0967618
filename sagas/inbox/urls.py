"""Addresses of the inbox, below /webhooks/."""

from __future__ import annotations

from django.urls import path

from sagas.inbox.views import take_in

urlpatterns = [path("<slug:kind>/<slug:name>/", take_in, name="webhook")]
