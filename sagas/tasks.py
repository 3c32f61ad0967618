"""Celery tasks: one per step, one per subscription and shard, one for intents. Messages carry no ids."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from celery import current_app
from celery.signals import worker_init
from django.db import OperationalError

from sagas import bell
from sagas.bus import subscriptions
from sagas.clock import database_now
from sagas.definition import BadDefinition, check_all
from sagas.delivery import deliver
from sagas.engine.intents import TASK as APPLY_INTENTS
from sagas.engine.intents import take_up
from sagas.engine.work import work
from sagas.inbox import work as inbox
from sagas.inbox.reader import reader_names
from sagas.quoting import words_of
from sagas.steps import all_steps

logger = structlog.get_logger(__name__)


def run_step(name: str) -> None:
    """A doorbell rang at a step. Never raises: what is left is found by the sweep."""
    _quietly(name, partial(work, name))


def run_delivery(name: str) -> None:
    """A doorbell rang at a subscription."""
    _quietly(name, partial(deliver, name, now=database_now))


def run_reading(name: str) -> None:
    """A doorbell rang for incoming webhooks."""
    _quietly(name, partial(inbox.read, name))


def run_intents() -> None:
    """A doorbell rang for what people asked."""
    bell.let_go(APPLY_INTENTS)
    _quietly(APPLY_INTENTS, take_up_intents)


def take_up_intents() -> int:
    """Apply all intents there are and ring for what became due. Returns how many batches it took."""
    count = 0
    while (taken := take_up()).claimed:
        count += 1
        for name in sorted(taken.due):
            bell.ring(name)
    return count


def _quietly(name: str, run: Any) -> None:
    # A database that went away is found again by the next task; the rows have lost nothing.
    try:
        run()
    except OperationalError as error:
        logger.warning("task_interrupted", task=name, error=words_of(error)[:300])


def refuse_bad_definitions() -> None:
    """End this process if a registered definition could not be finished."""
    try:
        check_all()
    except BadDefinition as bad:
        raise SystemExit(f"Saga definitions are broken: {bad}") from bad


@worker_init.connect
def register_tasks(**_: Any) -> None:
    """Make a task of every step, subscription and reader of webhooks. A worker begins when all apps are loaded.

    A definition that could not be finished ends the worker here, not at 3 a.m.
    """
    refuse_bad_definitions()
    for name in all_steps():
        _register(name, partial(run_step, name))
    for sub in subscriptions():
        for shard in range(sub.shards):
            _register(sub.task(shard), partial(run_delivery, sub.task(shard)))
    for name in reader_names():
        _register(name, partial(run_reading, name))
    _register(APPLY_INTENTS, run_intents)


def _register(name: str, body: Callable[[], None]) -> None:
    def task() -> None:
        body()

    current_app.task(task, name=name, ignore_result=True)
