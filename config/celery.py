"""The Celery application. Queues are the apps; a task belongs to the queue its name begins with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import (
    setup_logging,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
)
from django.db import connections
from django_structlog.celery.steps import DjangoStructLogInitStep
from kombu.entity import Queue

from config import env
from config.embedded.stack import QUEUES as STACK_QUEUES
from config.garbage import search_rarely

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("waybill")
app.config_from_object("django.conf:settings", namespace="CELERY")
#: Apps besides Waybill's own have a queue each too, if the environment names them.
QUEUES = (*STACK_QUEUES, *env.names("WAYBILL_APP_QUEUES"))
app.conf.task_queues = [Queue(name) for name in QUEUES]
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()


def route(name: str, *_arguments: Any, **_options: Any) -> dict[str, str]:
    """The queue of a task: what stands before the first dot of its name."""
    queue = name.partition(".")[0]
    if queue not in QUEUES:
        raise ValueError(f"Task {name!r} has no queue: its name must begin with one of {', '.join(QUEUES)}.")
    return {"queue": queue}


app.conf.task_routes = (route,)


@setup_logging.connect
def leave_logging_alone(**_: Any) -> None:
    """The settings configured logging already; a receiver here keeps Celery from doing it again."""


@task_prerun.connect
def drop_broken_connections(**_: Any) -> None:
    """A connection is kept for life, unless the database went away: the next task gets a new one."""
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()


@worker_ready.connect
def tell_ready(**_: Any) -> None:
    """Touch the file our starter waits for."""
    if file := os.environ.get("WAYBILL_READY_FILE"):
        Path(file).touch()


@worker_ready.connect
def answer_prometheus(**_: Any) -> None:
    """A worker in a container of its own has a port for its numbers; embedded, the web server sums them."""
    if port := env.integer("WAYBILL_METRICS_PORT", 0):
        from config.telemetry import serve_metrics

        serve_metrics(port)


@worker_process_init.connect
def spare_the_batches(**_: Any) -> None:
    """Everything is loaded now; what comes from here on are batches."""
    search_rarely()


@worker_process_shutdown.connect
def forget_live_gauges(pid: int, **_: Any) -> None:
    """Counters of an ended process stay in the sums; its live gauges do not."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(pid)
