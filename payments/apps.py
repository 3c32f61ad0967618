"""Wiring: what payments registers with the platform when Django starts."""

from __future__ import annotations

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from sagas.registry import load_app_modules

        load_app_modules(self.name)
        self._check_settings()

    def _check_settings(self) -> None:
        """Settings that cannot be read fail here, at start-up, and not at night."""
        from django.conf import settings

        from payments.reconciliation.fees import read_fees
        from payments.reconciliation.nightly import read_time

        read_time(settings.WAYBILL.reconcile_at)
        read_fees(settings.WAYBILL.settlement_fees)
