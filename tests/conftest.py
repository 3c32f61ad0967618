"""Fixtures every test may use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis_settings

from config.embedded.programs import Program, file_exists
from config.embedded.stack import MANAGE, QUEUES, worker_command
from config.embedded.state import BASE_DIR
from config.embedded.supervisor import Supervisor
from tests import services
from tests.flush import QuickFlush

# The gate tries the same cases in every run, so that it never fails for what nobody changed. `make properties` tries
# others every time; what it finds is kept as an `@example`.
hypothesis_settings.register_profile("gate", derandomize=True)
hypothesis_settings.register_profile("explore", print_blob=True)
hypothesis_settings.load_profile("gate")


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Every test process has a cluster of its own, so its database needs no suffix."""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """After migrating, remember what the migrations planted; transactional tests then clean up quickly."""
    with django_db_blocker.unblock():
        flush = QuickFlush.after_migrations(connection)

    def quick(_case: TransactionTestCase) -> None:
        flush.run(connection)

    setattr(TransactionTestCase, "_fixture_teardown", quick)  # noqa: B010 - unknown to the type stubs


class Clock:
    """A time that stands still until told to move on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> datetime:
        """Move on by a timedelta's arguments: `clock.forward(minutes=5)`."""
        self.now += timedelta(**amount)
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A still clock for code that takes `now`."""
    return Clock()


@pytest.fixture
def system_env(transactional_db: None) -> dict[str, str]:
    """What a child process needs to work on the test database and the test broker."""
    state = services.current().state
    url = os.environ["DATABASE_URL"].replace("/waybill?", f"/{connection.settings_dict['NAME']}?")
    return {
        "DATABASE_URL": url,
        "REDIS_URL": os.environ["REDIS_URL"],
        "WAYBILL_STATE": str(state.root),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


Manage = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def manage(system_env: dict[str, str]) -> Manage:
    """Run `manage.py` in a process of its own: `manage("audit", "--json", env={...})`. Never raises."""

    def run(
        *arguments: str, env: dict[str, str] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*MANAGE, *arguments],
            cwd=BASE_DIR,
            env=os.environ | system_env | (env or {}),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


class Worker:
    """A real Celery worker in a process of its own."""

    def __init__(self, supervisor: Supervisor, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._supervisor = supervisor

    @property
    def pid(self) -> int:
        return self._supervisor.pid(self.name)

    def kill(self) -> None:
        """Kill the worker and its pool like a crash. It is started again, as in production."""
        self._supervisor.kill(self.name)

    @property
    def restarts(self) -> int:
        return self._supervisor.restarts(self.name)

    def await_ready(self) -> None:
        """Wait until it takes tasks, also after a crash."""
        self._supervisor.await_ready(self.name)

    def stop(self) -> None:
        """End it for good."""
        self._supervisor.stop(self.name)


StartWorker = Callable[..., Worker]


@pytest.fixture
def processes(system_env: dict[str, str], tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor for a test's own children; they are stopped before the database is cleaned."""
    supervisor = Supervisor(processes=tmp_path, logs=tmp_path)
    yield supervisor
    supervisor.stop_all(grace_seconds=3)


@pytest.fixture
def celery_worker_process(processes: Supervisor, system_env: dict[str, str], tmp_path: Path) -> StartWorker:
    """Start a real worker on the test database and broker and wait until it takes tasks.

    `celery_worker_process(queues=("orders",), pool_size=2, env={"WAYBILL_CRASH_POINT": ".."})` -> Worker.
    """
    started: list[Worker] = []

    def start(
        *,
        queues: tuple[str, ...] = QUEUES,
        pool_size: int = 1,
        env: dict[str, str] | None = None,
        wait: bool = True,
    ) -> Worker:
        name = f"worker-{len(started) + 1}"
        ready = tmp_path / f"{name}.ready"
        program = Program(
            name=name,
            command=tuple(worker_command(name, queues, pool_size)),
            env=system_env | {"WAYBILL_ROLE": "worker", "WAYBILL_READY_FILE": str(ready)} | (env or {}),
            cwd=BASE_DIR,
            prepare=lambda: ready.unlink(missing_ok=True),
            ready=file_exists(ready),
        )
        processes.start(program, wait=wait)
        worker = Worker(processes, name, tmp_path / f"{name}.log")
        started.append(worker)
        return worker

    return start
