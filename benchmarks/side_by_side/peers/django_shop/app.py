"""The Celery application, and its sign that a worker takes tasks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.side_by_side.peers.django_shop.settings")

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = [
    "benchmarks.side_by_side.peers.django_shop.sagas",
    "benchmarks.side_by_side.peers.django_shop.canvas",
]


@worker_ready.connect
def tell_ready(**_: Any) -> None:
    """Touch the file our starter waits for."""
    if file := os.environ.get("SHOP_READY_FILE"):
        Path(file).touch()
