"""Each of Celery's settings that is a trap when left alone, and what a real worker does with them."""

from __future__ import annotations

import time
from pathlib import Path
from socket import gethostname

import pytest
from django.conf import settings
from kombu.exceptions import OperationalError

from config.celery import app, route
from config.embedded.stack import QUEUES, worker_command
from tests.conftest import StartWorker
from tests.waiting import eventually


def test_a_message_is_acknowledged_after_the_work_and_given_back_when_the_worker_dies() -> None:
    assert app.conf.task_acks_late is True
    assert app.conf.task_reject_on_worker_lost is True
    assert app.conf.worker_prefetch_multiplier == 1


def test_no_result_is_kept_anywhere() -> None:
    assert app.conf.task_ignore_result is True
    assert app.conf.result_backend is None
    assert app.backend.as_uri() == "disabled://"


def test_workers_do_not_chat() -> None:
    command = list(worker_command("worker-1", QUEUES, 2))

    assert {"--without-gossip", "--without-mingle", "--without-heartbeat"} <= set(command)
    assert app.conf.worker_send_task_events is False
    assert app.conf.task_send_sent_event is False


def test_a_lost_message_comes_back_after_the_longest_task_and_soon_after() -> None:
    options = app.conf.broker_transport_options

    assert options["visibility_timeout"] > app.conf.task_time_limit
    assert options["unacked_restore_interval"] == 1
    assert options["unacked_restore_throttle"] == 1


def test_a_worker_keeps_its_connection() -> None:
    from celery.fixups.django import DjangoWorkerFixup

    assert DjangoWorkerFixup(app).db_reuse_max >= 1_000_000


def test_every_queue_is_an_app_and_a_task_goes_to_the_app_its_name_begins_with() -> None:
    assert {queue.name for queue in app.conf.task_queues} == set(QUEUES)
    assert route("payments.capture_payment") == {"queue": "payments"}
    assert app.amqp.router.route({}, "shipping.deliver_events")["queue"].name == "shipping"


def test_a_task_without_an_app_is_a_mistake_found_at_once() -> None:
    with pytest.raises(ValueError, match="has no queue"):
        route("cleanup.everything")


def test_every_task_there_is_has_a_queue() -> None:
    ours = [name for name in app.tasks if not name.startswith("celery.")]

    assert [route(name)["queue"] for name in ours] == [name.split(".")[0] for name in ours]


def test_logging_is_ours() -> None:
    assert app.conf.worker_hijack_root_logger is False
    assert app.conf.task_serializer == "json"
    assert app.conf.accept_content == ["json"]


def test_a_dead_broker_costs_a_publisher_a_moment_and_an_error(tmp_path: Path) -> None:
    from celery import Celery

    orphaned = Celery("orphaned", broker=f"redis+socket://{tmp_path}/no.sock", set_as_current=False)
    orphaned.conf.update(
        broker_transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS,
        task_publish_retry_policy=settings.CELERY_TASK_PUBLISH_RETRY_POLICY,
        task_ignore_result=True,
    )
    begun = time.monotonic()

    with pytest.raises(OperationalError):
        orphaned.send_task("sagas.anything")

    assert time.monotonic() - begun < 3


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_is_back_and_takes_tasks(celery_worker_process: StartWorker) -> None:
    worker = celery_worker_process(queues=("sagas",))
    first = worker.pid

    worker.kill()

    assert eventually(lambda: worker.restarts == 1)
    worker.await_ready()
    assert worker.pid != first
    assert app.control.ping(timeout=5, limit=1) == [{f"worker-1@{gethostname()}": {"ok": "pong"}}]
