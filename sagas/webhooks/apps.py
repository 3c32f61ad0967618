"""Outgoing webhooks as an installed app. It stands last: by then every app has registered its events."""

from __future__ import annotations

from django.apps import AppConfig

from sagas.registry import load_app_modules


class WebhooksConfig(AppConfig):
    """Loads the reader that fans events out, the loops and the task."""

    name = "sagas.webhooks"
    label = "webhooks"
    verbose_name = "Webhooks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        load_app_modules(self.name)
