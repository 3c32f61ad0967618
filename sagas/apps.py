"""The platform. It knows no app; apps register with it."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SagasConfig(AppConfig):
    """Loads the platform's own loops and seeds the first era after migrating."""

    name = "sagas"
    verbose_name = "Sagas"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from sagas import checks, contract, keeping, tasks  # noqa: F401 - they register themselves
        from sagas.log import ensure_era

        post_migrate.connect(ensure_era, sender=self, dispatch_uid="sagas.ensure_era")
