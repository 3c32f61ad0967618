"""Restate: a server of its own that keeps a log, and calls the shop's handler over HTTP/2 step by step.

Optional: the server is a program, `restate-server`, which its makers publish through npm. Its log reaches the disk
before it goes on (its default). One process calls one, so each process serves the shop under a name of its own.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.side_by_side.contender import Contender, Place, Running
from benchmarks.side_by_side.peers.hands import READY, Hand, children_of, hands
from benchmarks.side_by_side.peers.intake import AT_ONCE, place_batch, place_one
from benchmarks.side_by_side.peers.packages import find_program, program_version, version_of
from benchmarks.side_by_side.peers.transactions import (
    Act,
    OwnTransactions,
    forward_or_back_awaited,
    own_transactions,
)
from benchmarks.side_by_side.workload import Wanted, in_batches

SERVER = "restate-server"
HOW = "`pip install restate-sdk hypercorn` gets it"
HOW_SERVER = "`npm install -g @restatedev/restate-server` brings it"
PROCESSES = 2
THREADS = 8
#: Calls under way at once in a load.
CALLS = 48
START_SECONDS = 60
PORTS = "SHOP_PORTS"


class RestateRunning(Running):
    """The server, and the processes it calls."""

    def __init__(
        self,
        hands: Sequence[Hand],
        server: int,
        client: http.client.HTTPConnection,
        connection: psycopg.Connection[Any],
    ) -> None:
        self._hands = hands
        self._server = server
        self._connection = connection
        self._client = client

    def load(self, orders: Sequence[Wanted]) -> None:
        for batch in in_batches(orders, AT_ONCE):
            with self._connection.transaction(), self._connection.cursor() as cursor:
                place_batch(cursor, batch)
        asyncio.run(self._call_all([str(order.id) for order in orders]))

    def one(self, order: Wanted) -> None:
        place_one(self._connection, order)
        _post(self._client, f"/{service(0)}/sell", str(order.id))

    def workers(self) -> Sequence[int]:
        return [self._server, *children_of(self._server), *(hand.pid for hand in self._hands)]

    async def _call_all(self, ids: Sequence[str]) -> None:
        import aiohttp

        base, left = f"http://127.0.0.1:{self._client.port}", iter(enumerate(ids))

        async def caller(session: aiohttp.ClientSession) -> None:
            for number, order_id in left:
                name = service(number % len(self._hands))
                async with session.post(f"{base}/{name}/sell", json=order_id) as answer:
                    answer.raise_for_status()
                    await answer.read()

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CALLS)) as session:
            await asyncio.gather(*(caller(session) for _ in range(CALLS)))


class Restate(Contender):
    """Restate."""

    name = "restate"
    title = "Restate"
    durable = True
    size = 1_200

    def check(self) -> str:
        sdk = version_of("restate-sdk", "hypercorn", get=HOW)
        return f"{program_version(SERVER, get=HOW_SERVER)}, SDK {sdk}"

    def install(self, place: Place) -> None:
        """Its records are in files of its own, made when it starts."""

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        from config.embedded.programs import free_port

        ingress, admin, ports = free_port(), free_port(), [str(free_port()) for _ in range(PROCESSES)]
        with (
            _server(place, ingress, admin) as server,
            hands(__name__, place, PROCESSES, {PORTS: ",".join(ports)}) as started,
            closing(http.client.HTTPConnection("127.0.0.1", ingress)) as client,
            place.connect() as connection,
        ):
            for port in ports:
                _register(admin, port)
            yield RestateRunning(started, server, client, connection)


def service(number: int) -> str:
    """The name under which a process serves the shop."""
    return f"shop{number}"


@contextmanager
def _server(place: Place, ingress: int, admin: int) -> Iterator[int]:
    """The server, answering. Its files are new each time and lie in the place's folder."""
    from config.embedded.programs import Program, answers_http
    from config.embedded.supervisor import Supervisor

    folder = place.folder / "restate"
    shutil.rmtree(folder, ignore_errors=True)
    supervisor = Supervisor(processes=place.folder, logs=place.folder)
    program = Program(
        name="restate",
        command=(find_program(SERVER, get=HOW_SERVER), "--no-logo"),
        env=_settings(folder, ingress, admin),
        ready=answers_http(f"http://127.0.0.1:{admin}/health"),
        ready_within_seconds=START_SECONDS,
    )
    try:
        supervisor.start(program)
        yield supervisor.pid("restate")
    finally:
        supervisor.stop_all()
        shutil.rmtree(folder, ignore_errors=True)


def _settings(folder: Path, ingress: int, admin: int) -> dict[str, str]:
    from config.embedded.programs import free_port

    return {
        "RESTATE_BASE_DIR": str(folder),
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_FILTER": "warn",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{free_port()}",
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
    }


def _register(admin: int, port: str) -> None:
    """Tell the server where a process serves. Tried until that process listens."""
    end = time.monotonic() + START_SECONDS
    with closing(http.client.HTTPConnection("127.0.0.1", admin)) as client:
        while True:
            try:
                return _post(client, "/deployments", {"uri": f"http://127.0.0.1:{port}"})
            except http.client.HTTPException:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)


def _post(client: http.client.HTTPConnection, path: str, body: object) -> None:
    client.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    answer = client.getresponse()
    said = answer.read()
    if answer.status >= 300:
        raise http.client.HTTPException(f"{path} answered {answer.status}: {said[:300]!r}")


def work(conninfo: str, number: str) -> None:
    """One of the processes that Restate calls."""
    with own_transactions(conninfo, THREADS) as shop:
        asyncio.run(_listen(shop, int(number)))


async def _listen(shop: OwnTransactions, number: int) -> None:
    import restate
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    config = Config()
    config.loglevel = "ERROR"
    config.bind = [f"127.0.0.1:{os.environ[PORTS].split(',')[number]}"]
    print(READY, flush=True)
    await serve(
        restate.app([_service(shop, number)]),
        config,
        shutdown_trigger=lambda: asyncio.to_thread(sys.stdin.read),
    )


def _service(shop: OwnTransactions, number: int) -> Any:
    """The shop's work as Restate wants it: a handler that names what it runs."""
    import restate

    offered = restate.Service(service(number))

    async def sell(context: Any, order_id: str) -> None:
        async def run(act: Act) -> bool:
            accepted: bool = await context.run_typed(act.__name__, lambda: shop.accepted(act, order_id))
            return accepted

        await forward_or_back_awaited(run)

    offered.handler()(sell)
    return offered
