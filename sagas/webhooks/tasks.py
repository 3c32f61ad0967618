"""The task behind the sender's bell. It never raises: what is left is found by the keeper."""

from __future__ import annotations

import structlog
from celery import shared_task
from django.conf import settings
from django.db import OperationalError

from sagas.quoting import words_of
from sagas.webhooks.queueing import TASK
from sagas.webhooks.send import work

logger = structlog.get_logger(__name__)


@shared_task(name=TASK, ignore_result=True)
def send_webhooks() -> None:
    """A doorbell rang: there may be webhooks to send."""
    try:
        work(seconds=settings.WAYBILL.turn_seconds)
    except OperationalError as error:
        logger.warning("task_interrupted", task=TASK, error=words_of(error)[:300])
