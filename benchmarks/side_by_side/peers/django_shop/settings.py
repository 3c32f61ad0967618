"""As such a project has them when they are well set: connections kept for life, tasks acknowledged late.

Its database and its broker come from SHOP_DATABASE (a conninfo) and SHOP_BROKER (a URL).
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

_database = conninfo_to_dict(os.environ["SHOP_DATABASE"])
_broker = os.environ["SHOP_BROKER"]

SECRET_KEY = "signs nothing"  # noqa: S105 - the project serves no pages
USE_TZ = True
INSTALLED_APPS = ["benchmarks.side_by_side.peers.django_shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database["dbname"],
        "USER": _database["user"],
        "HOST": _database["host"],
        "CONN_MAX_AGE": None,
    }
}

CELERY_BROKER_URL = f"redis+socket://{urlsplit(_broker).path}" if _broker.startswith("unix:") else _broker
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = os.environ.get("SHOP_QUEUE", "shop")
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Without it Celery closes the database connection after every task.
CELERY_DB_REUSE_MAX = 1_000_000_000
