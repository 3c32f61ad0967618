"""DBOS Transact: a workflow per order, a plain step per step, its records in the same PostgreSQL.

In the style that was quickest of those tried: workflows called from a pool of threads in each of two processes, as
a web application calls them. By its queue, with or without a short polling interval, all is slower.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks.side_by_side import single
from benchmarks.side_by_side.contender import Contender, Place, Running
from benchmarks.side_by_side.peers.hands import Hand, hands, serve, share
from benchmarks.side_by_side.peers.intake import AT_ONCE, place_batch, place_one
from benchmarks.side_by_side.peers.packages import version_of
from benchmarks.side_by_side.peers.transactions import Act, OwnTransactions, forward_or_back, own_transactions
from benchmarks.side_by_side.workload import Wanted, in_batches

PROCESSES = 2
THREADS = 8


class DbosRunning(Running):
    """Its processes, each with a pool of threads."""

    def __init__(self, hands: Sequence[Hand], connection: psycopg.Connection[Any]) -> None:
        self._hands = hands
        self._connection = connection

    def load(self, orders: Sequence[Wanted]) -> None:
        for batch in in_batches(orders, AT_ONCE):
            with self._connection.transaction(), self._connection.cursor() as cursor:
                place_batch(cursor, batch)
        share(self._hands, [str(order.id) for order in orders])

    def one(self, order: Wanted) -> None:
        place_one(self._connection, order)
        self._hands[0].do([str(order.id)])

    def workers(self) -> Sequence[int]:
        return [hand.pid for hand in self._hands]


class Dbos(Contender):
    """DBOS Transact."""

    name = "dbos"
    title = "DBOS Transact"
    durable = True
    size = 900

    def check(self) -> str:
        return version_of("dbos")

    def install(self, place: Place) -> None:
        from dbos import run_dbos_database_migrations

        logging.getLogger("dbos").setLevel(logging.WARNING)
        run_dbos_database_migrations(_url(place.conninfo))

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        with hands(__name__, place, PROCESSES) as started, place.connect() as connection:
            yield DbosRunning(started, connection)


def work(conninfo: str, number: str) -> None:
    """One of its processes."""
    from dbos import DBOS

    # Without its check of a connection before each use, which costs a round trip.
    DBOS(config={
        "name": "shop", "system_database_url": _url(conninfo), "executor_id": f"hand-{number}",
        "application_version": "1", "run_migrations": False, "log_level": "WARNING",
        "sys_db_pool_size": THREADS + 4, "db_engine_kwargs": {"pool_pre_ping": False},
    })  # fmt: skip
    with own_transactions(conninfo, THREADS) as shop, ThreadPoolExecutor(THREADS) as pool:
        sell = _workflow(shop)
        DBOS.launch()

        def see_through(ids: list[str]) -> None:
            for _ in pool.map(sell, ids) if len(ids) > 1 else map(sell, ids):
                pass

        serve(see_through)
        DBOS.destroy()


def _workflow(shop: OwnTransactions) -> Callable[[str], None]:
    """The shop's work as DBOS wants it: steps and the workflow that calls them, all registered by name."""
    from dbos import DBOS

    def step(act: Act) -> Callable[[str], bool]:
        def run(order_id: str) -> bool:
            return shop.accepted(act, order_id)

        registered: Callable[[str], bool] = DBOS.step(name=act.__name__)(run)
        return registered

    steps: dict[Act, Callable[[str], bool]] = {act: step(act) for pair in single.STEPS for act in pair if act}

    def sell(order_id: str) -> None:
        forward_or_back(lambda act: steps[act](order_id))

    workflow: Callable[[str], None] = DBOS.workflow(name="sell")(sell)
    return workflow


def _url(conninfo: str) -> str:
    """The database as SQLAlchemy wants it."""
    parts = conninfo_to_dict(conninfo)
    return f"postgresql://{parts['user']}@/{parts['dbname']}?host={parts['host']}"
