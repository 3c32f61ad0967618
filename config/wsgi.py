"""The web application."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

from sagas.tasks import refuse_bad_definitions  # noqa: E402 - apps must be loaded first

refuse_bad_definitions()
