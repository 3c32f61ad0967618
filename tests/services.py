"""A pytest plugin: one PostgreSQL cluster and one Valkey for this test process, before the settings load.

A cluster per process, not a database per process: the event feed waits for the oldest writing transaction of
the whole cluster, so tests sharing one would hold each other up. The caller's DATABASE_URL and REDIS_URL are
ignored: no test may touch a developer's data.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from config.embedded.postgres import PostgresCluster
from config.embedded.processes import ProcessBook
from config.embedded.state import State
from config.embedded.supervisor import Supervisor
from config.embedded.valkey import Valkey

#: What the developer's shell may hold and tests must not see.
FOREIGN = ("DATABASE_URL", "DATABASE_REPLICA_URL", "REDIS_URL", "WAYBILL_SANDBOX_URL", "WAYBILL_CRASH_POINT",
           "SENTRY_DSN", "PROMETHEUS_MULTIPROC_DIR", "WAYBILL_ROLE", "WAYBILL_LOG_STYLE", "WAYBILL_HOSTS",
           "PAYMENT_WEBHOOK_SECRETS", "PAYMENT_GATEWAY", "STRIPE_API_KEY", "STRIPE_API_BASE", "STRIPE_API_VERSION",
           "CARRIER", "CARRIER_URL", "CARRIER_TOKEN")  # fmt: skip


PREFIX = "waybill-test-"
NEVER = str(10**9)


class Services:
    """The services of one test process, in a state folder of their own."""

    def __init__(self) -> None:
        root = Path(tempfile.mkdtemp(prefix=PREFIX))
        root.chmod(0o711)  # the database's account must be able to pass through
        self.state = State(root)
        self.state.prepare()
        self._hold = ExitStack()
        self.supervisor = Supervisor(processes=self.state.processes, logs=self.state.logs)

    def start(self) -> None:
        self._hold.enter_context(self.state.locked("tests"))
        for name in FOREIGN:
            os.environ.pop(name, None)
        os.environ |= {
            "WAYBILL_STATE": str(self.state.root),
            "WAYBILL_SECRET_KEY": self.state.secret_key(),
            "WAYBILL_LOG_LEVEL": "WARNING",
            "DATABASE_URL": self._postgres(),
            "REDIS_URL": self._valkey(),
            # Circuits live in Valkey and would pass from one test to the next. Tests about them set their own rules.
            "WAYBILL_CIRCUIT_FAILURES": NEVER,
            "WAYBILL_CIRCUIT_MINIMUM_VOLUME": NEVER,
        }

    def _postgres(self) -> str:
        self.supervisor.start(
            PostgresCluster(self.state.database_home(), self.state.postgres_socket, durable=False).program()
        )
        return self.state.database_url

    def _valkey(self) -> str:
        self.supervisor.start(Valkey(self.state.valkey_socket).program())
        return self.state.redis_url

    def stop(self) -> None:
        self.supervisor.stop_all(grace_seconds=5)
        self.state.remove()
        self._hold.close()
        shutil.rmtree(self.state.root, ignore_errors=True)


def remove_abandoned() -> None:
    """Delete what killed test runs left in the temporary folder: theirs is no longer locked, and not new."""
    for root in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        state = State(root)
        if (
            root.stat().st_uid == os.getuid()
            and time.time() - root.stat().st_mtime > 600
            and not state.holder()
        ):
            ProcessBook(state.processes).stop_orphans()
            state.remove()
            shutil.rmtree(root, ignore_errors=True)


_services: Services | None = None


def current() -> Services:
    """The services of this test process."""
    assert _services is not None, "no services: this process only hands tests out"
    return _services


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Start before Django's settings load. A process that only hands out tests needs none."""
    global _services  # noqa: PLW0603 - one per process is the point
    if _only_hands_out(early_config):
        return (yield)
    remove_abandoned()
    _services = Services()
    try:
        _services.start()
        return (yield)
    except BaseException:
        pytest_unconfigure()
        raise


def _only_hands_out(config: pytest.Config) -> bool:
    options = config.known_args_namespace
    asked = getattr(options, "numprocesses", None) or getattr(options, "tx", None)
    return bool(asked) and "PYTEST_XDIST_WORKER" not in os.environ


def pytest_unconfigure() -> None:
    """Stop them at the very end, after Ctrl-C too."""
    global _services  # noqa: PLW0603
    if _services is not None:
        _services.stop()
        _services = None
