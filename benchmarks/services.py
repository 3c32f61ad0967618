"""A PostgreSQL and a Valkey of a benchmark's own, in a temporary folder, with the migrated database."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.embedded.postgres import PostgresCluster
from config.embedded.state import State
from config.embedded.supervisor import Supervisor
from config.embedded.valkey import Valkey

#: As a server for a million orders would have. The embedded one is made for a laptop and its tests.
SHARED_BUFFERS = "768MB"


class RoomyCluster(PostgresCluster):
    """The embedded PostgreSQL with more memory."""

    def _settings(self) -> Iterator[str]:
        yield from super()._settings()
        yield from ("-c", f"shared_buffers={SHARED_BUFFERS}")


@contextmanager
def own_services(*, durable: bool = False) -> Iterator[None]:
    """Start them, set Django up on them and migrate; stop and delete everything at the end."""
    root = Path(tempfile.mkdtemp(prefix="waybill-bench-"))
    root.chmod(0o711)  # the database's account must be able to pass through
    state = State(root)
    state.prepare()
    supervisor = Supervisor(processes=state.processes, logs=state.logs)
    try:
        with state.locked("benchmark"):
            cluster = RoomyCluster(state.database_home(), state.postgres_socket, durable=durable)
            supervisor.start(cluster.program())
            supervisor.start(Valkey(state.valkey_socket).program())
            cluster.create_database()
            os.environ |= {
                "WAYBILL_STATE": str(root),
                "WAYBILL_SECRET_KEY": state.secret_key(),
                "WAYBILL_LOG_LEVEL": "WARNING",
                "DATABASE_URL": state.database_url,
                "REDIS_URL": state.redis_url,
                "DJANGO_SETTINGS_MODULE": "config.settings",
            }
            _migrate()
            yield
    finally:
        supervisor.stop_all(grace_seconds=5)
        state.remove()
        shutil.rmtree(root, ignore_errors=True)


def _migrate() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
