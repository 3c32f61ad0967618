"""Wiring: what orders registers with the platform when Django starts."""

from __future__ import annotations

from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from sagas.registry import load_app_modules

        load_app_modules(self.name)
        load_app_modules(f"{self.name}.disputing")
        load_app_modules(f"{self.name}.giving_back")
        load_app_modules(f"{self.name}.refunding")
        load_app_modules(f"{self.name}.parcelling")
