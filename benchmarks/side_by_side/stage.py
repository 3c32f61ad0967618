"""Where all contenders are measured: one durable PostgreSQL and one broker, in a folder that goes at the end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis

from benchmarks.services import RoomyCluster
from benchmarks.side_by_side import tables
from benchmarks.side_by_side.contender import Contender, Place
from config.embedded.postgres import PostgresCluster
from config.embedded.state import State
from config.embedded.supervisor import Supervisor
from config.embedded.valkey import Valkey

#: What makes a commit outlive a power cut. Nobody is measured without it.
DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")


class NotDurable(Exception):
    """The server would lose what it has committed: such figures say nothing."""


@dataclass(frozen=True)
class Stage:
    """The running services. Everyone gets a database of their own on them."""

    cluster: PostgresCluster
    state: State

    def prepare(self, contender: Contender) -> Place:
        """Make a contender's database: the shop's filled tables, whatever it adds, and a planner that knows both."""
        place = self._place(contender)
        self.cluster.create_database(place.database)
        place.folder.mkdir(parents=True, exist_ok=True)
        with place.connect() as connection:
            tables.create(connection)
            contender.install(place)
            tables.settle(connection)
            if self.cluster.durable:
                _insist_on_durability(connection)
        return place

    def connect(self) -> psycopg.Connection[Any]:
        """To the server's own database, in autocommit."""
        return psycopg.connect(
            host=str(self.state.postgres_socket), user="postgres", dbname="postgres", autocommit=True
        )

    def forget_messages(self) -> None:
        """Empty the broker, so that nobody meets the messages of another."""
        with redis.Redis(unix_socket_path=str(self.state.valkey_socket)) as client:
            client.flushall()

    def _place(self, contender: Contender) -> Place:
        return Place(
            database=f"bench_{contender.name.replace('-', '_')}",
            socket=self.state.postgres_socket,
            redis_url=self.state.redis_url,
            folder=self.state.root / contender.name,
        )


@contextmanager
def own_stage() -> Iterator[Stage]:
    """Start the services; stop and delete everything at the end."""
    root = Path(tempfile.mkdtemp(prefix="waybill-bench-"))
    root.chmod(0o711)  # the database's account must be able to pass through
    state = State(root)
    state.prepare()
    supervisor = Supervisor(processes=state.processes, logs=state.logs)
    try:
        with state.locked("benchmark"):
            cluster = RoomyCluster(state.database_home(), state.postgres_socket)
            supervisor.start(cluster.program())
            supervisor.start(Valkey(state.valkey_socket).program())
            yield Stage(cluster, state)
    finally:
        supervisor.stop_all(grace_seconds=5)
        state.remove()
        shutil.rmtree(root, ignore_errors=True)


def _insist_on_durability(connection: psycopg.Connection[Any]) -> None:
    for name in DURABILITY:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
        if row is None or row[0] != "on":
            raise NotDurable(f"{name} is {row and row[0]}.")
