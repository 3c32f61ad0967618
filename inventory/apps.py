"""Wiring: what inventory registers with the platform when Django starts."""

from __future__ import annotations

from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "inventory"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from sagas.registry import load_app_modules

        load_app_modules(self.name)
