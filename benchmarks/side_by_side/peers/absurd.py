"""Absurd: a task per order, queues and checkpoints by stored procedures in the same PostgreSQL.

Its strength is used: a step's checkpoint commits together with what the step did, on one connection. A worker claims
some tasks at a time and does them one by one: its connection can hold one transaction.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from benchmarks.side_by_side.contender import Contender, Place, Running, wait_for_all, wait_for_end
from benchmarks.side_by_side.peers.hands import Hand, hands, serve_nothing
from benchmarks.side_by_side.peers.intake import AT_ONCE, place_batch, place_one
from benchmarks.side_by_side.peers.packages import version_of
from benchmarks.side_by_side.peers.transactions import Act, forward_or_back
from benchmarks.side_by_side.single import OrderRefused
from benchmarks.side_by_side.workload import Wanted, in_batches

QUEUE = "shop"
TASK = "sell"
PROCESSES = 4
CLAIMED_AT_ONCE = 25
#: An idle worker looks again after so long. Short, for an order alone; shorter, and looking takes the processor itself.
LOOK_SECONDS = 0.005

SPAWN = """
SELECT count(*) FROM unnest(%s::jsonb[]) AS wanted (params), LATERAL absurd.spawn_task(%s, %s, wanted.params, '{}')
"""


class AbsurdRunning(Running):
    """Its processes, which look into the queue."""

    def __init__(self, hands: Sequence[Hand], connection: psycopg.Connection[Any]) -> None:
        from absurd_sdk import Absurd

        self._hands = hands
        self._connection = connection
        self._app = Absurd(connection, queue_name=QUEUE)

    def load(self, orders: Sequence[Wanted]) -> None:
        for batch in in_batches(orders, AT_ONCE):
            with self._connection.transaction(), self._connection.cursor() as cursor:
                place_batch(cursor, batch)
                cursor.execute(SPAWN, ([json.dumps(str(order.id)) for order in batch], QUEUE, TASK))
        wait_for_all(self._connection, orders)

    def one(self, order: Wanted) -> None:
        with self._connection.transaction():
            place_one(self._connection, order)
            self._app.spawn(TASK, str(order.id), queue=QUEUE)
        wait_for_end(self._connection, order)

    def workers(self) -> Sequence[int]:
        return [hand.pid for hand in self._hands]


class Absurd(Contender):
    """Absurd."""

    name = "absurd"
    title = "Absurd"
    durable = True
    size = 2_500

    def check(self) -> str:
        return version_of("absurd-sdk", "absurdctl")

    def install(self, place: Place) -> None:
        from absurdctl import BUNDLED_SCHEMA_SQL

        with place.connect() as connection:
            connection.execute(BUNDLED_SCHEMA_SQL)
            connection.execute("SELECT absurd.create_queue(%s)", (QUEUE,))

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        with hands(__name__, place, PROCESSES) as started, place.connect() as connection:
            yield AbsurdRunning(started, connection)


def work(conninfo: str, number: str) -> None:
    """One of its processes."""
    from absurd_sdk import Absurd as App

    with psycopg.connect(conninfo, autocommit=True) as connection:
        app = App(connection, queue_name=QUEUE)
        app.register_task(TASK)(_task(connection))
        loop = threading.Thread(target=app.start_worker, kwargs={
            "worker_id": number, "batch_size": CLAIMED_AT_ONCE, "poll_interval": LOOK_SECONDS,
        })  # fmt: skip
        loop.start()
        serve_nothing()
        app.stop_worker()
        loop.join()


def _task(connection: psycopg.Connection[Any]) -> Callable[[str, Any], None]:
    """The shop's work as Absurd wants it: a handler that names its steps."""

    def sell(order_id: str, context: Any) -> None:
        def run(act: Act) -> bool:
            with connection.transaction(), connection.cursor() as cursor:
                accepted: bool = context.step(act.__name__, lambda: _accepted(cursor, act, order_id))
                return accepted

        forward_or_back(run)

    return sell


def _accepted(cursor: psycopg.Cursor[Any], act: Act, order_id: str) -> bool:
    """What the step's checkpoint holds. A refusal has written nothing, so the transaction goes on."""
    try:
        act(cursor, order_id)
    except OrderRefused:
        return False
    return True
