"""Two databases of one PostgreSQL, alike to the last row: Waybill's, with its workers, and the one filled by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection

from benchmarks.full_flow import goods, meters, side
from benchmarks.full_flow.bare import script
from config.embedded.stack import Stack
from config.embedded.state import DATABASE_NAME, State
from sagas.bus import subscriptions
from sagas.clock import database_now
from sagas.sql import execute

IN_PROCESS = "benchmarks.full_flow.settings"
BY_HAND = "by_hand"
#: The readers have read everything that was there before.
CAUGHT_UP = """
INSERT INTO sagas_checkpoint (subscription, shard, era, xid, position, state, error)
SELECT u.name, u.shard, e.era, e.xid, e.position, 'running', ''
  FROM unnest(%s::text[], %s::smallint[]) AS u (name, shard),
       (SELECT era, xid, position FROM sagas_event ORDER BY era DESC, xid DESC, position DESC LIMIT 1) e
"""


@dataclass
class System:
    """What runs."""

    state: State
    stack: Stack
    shop: goods.Shop
    processes: int

    def conninfo(self, database: str = DATABASE_NAME) -> str:
        """How psycopg reaches a database."""
        return f"dbname={database} host={self.state.postgres_socket} user=postgres"

    def connect(self, database: str = DATABASE_NAME) -> psycopg.Connection[Any]:
        """A connection in autocommit."""
        return psycopg.connect(self.conninfo(database), autocommit=True)

    @property
    def sandbox(self) -> tuple[str, ...]:
        """The sandbox, if it runs."""
        return ("sandbox",) if "WAYBILL_SANDBOX_URL" in self.stack.env else ()

    def groups(self, *names: str) -> meters.Groups:
        """Whose processor time is told apart: the first process of each group."""
        pid = self.stack.supervisor.pid
        return {name: pid("worker-1" if name == "workers" else name) for name in names}

    def settle(self, database: str = DATABASE_NAME) -> None:
        """Before a load: everything on disk, dead rows gone, and the planner told. The same for everybody."""
        with self.connect(database) as plain:
            plain.execute("VACUUM ANALYZE")
            plain.execute("CHECKPOINT")

    def fill(self, orders: int) -> None:
        """Old orders, so that no plan is made for an empty table; then the second database as a copy of the first."""
        task = script.Task(
            conninfo=self.conninfo(), shop=self.shop, name="old", orders=orders, placed_at=database_now()
        )
        side.run(script.prepare, task, processes=self.processes)
        names = [(sub.name, shard) for sub in subscriptions() for shard in range(sub.shards)]
        execute(CAUGHT_UP, [[name for name, _ in names], [shard for _, shard in names]])
        self.settle()
        connection.close()
        with self.connect("postgres") as plain:
            plain.execute(f"CREATE DATABASE {BY_HAND} TEMPLATE {DATABASE_NAME}")

    @contextmanager
    def in_process(self) -> Iterator[None]:
        """Workers and loops whose gateway and carrier are inside them."""
        self.stack.env["DJANGO_SETTINGS_MODULE"] = IN_PROCESS
        with self._workers():
            yield

    @contextmanager
    def over_http(self) -> Iterator[str]:
        """Workers and loops as they are shipped, and the sandbox they call: its address."""
        self.stack.env.pop("DJANGO_SETTINGS_MODULE", None)
        self.stack.start_sandbox()
        with self._workers():
            yield self.stack.env["WAYBILL_SANDBOX_URL"]

    @contextmanager
    def _workers(self) -> Iterator[None]:
        supervisor = self.stack.supervisor
        for program in (self.stack.worker("worker-1", processes=self.processes), self.stack.keep()):
            supervisor.start(program)
        try:
            yield
        finally:
            for name in ("worker-1", "keep"):
                supervisor.stop(name)


@contextmanager
def running(state: State, *, old: int, processes: int) -> Iterator[System]:
    """Services up, both databases filled. No worker runs yet."""
    sandbox = ("--profile", "quiet")
    with Stack(state, purpose="benchmark", sandbox_arguments=sandbox) as stack:
        stack.migrate()
        system = System(state, stack, goods.open_shop(), processes)
        system.fill(old)
        yield system
