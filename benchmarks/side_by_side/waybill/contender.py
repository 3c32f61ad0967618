"""Waybill as a contender: real Celery workers, the loops, definitions and handlers as any app has them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import psycopg

from benchmarks.side_by_side.contender import Contender, Place, Running, wait_for_all, wait_for_end
from benchmarks.side_by_side.processes import family
from benchmarks.side_by_side.workload import Wanted
from config.embedded.stack import MANAGE, QUEUES, Stack
from config.embedded.state import BASE_DIR, State

SETTINGS = "benchmarks.side_by_side.waybill.settings"
WORKER = "worker-1"
PROCESSES = 2
QUEUE = "shop"
#: A helper that nobody asks any more has so long to end.
END_SECONDS = 30
DRIVER = "benchmarks.side_by_side.waybill.driver"
READERS = "benchmarks.side_by_side.waybill.readers"

# The old orders have sagas, steps and events too, as in a shop that has been open for a while.
OLD_SAGAS = """
INSERT INTO sagas_saga (id, definition, version, shop_id, subject_id, reference, search_key, label, amount_minor,
       currency, context, correlation_id, state, hold, hold_reason, hold_owner, stage, epoch, cause, cause_code,
       cause_step, started_at, moved_at, finished_at, style)
SELECT id, 'shop.sell', 1, '0190a5a0-0000-7000-8000-000000000001', id, reference, reference, reference, total_minor,
       'EUR', '{}', '', 'completed', 'none', '', '', 4, 0, '', '', '', placed_at, placed_at, placed_at,
       'orchestration'
  FROM shop_order
"""
OLD_STEPS = """
INSERT INTO sagas_step (id, saga_id, position, direction, name, state, epoch, attempt, tries, intent_number, key,
       verdict, code, detail, memo, result, history, worker, began_at, finished_at)
SELECT md5(o.id::text || s.n)::uuid, o.id, s.n - 1, 'do', s.name, 'done', 0, 1, 0, 1, md5(o.id::text || s.name)::uuid,
       'done', '', '', '{}', '{}', '[]', '', o.placed_at, o.placed_at
  FROM shop_order o,
       unnest(ARRAY['shop.authorize', 'shop.reserve', 'shop.book', 'shop.confirm']) WITH ORDINALITY AS s (name, n)
"""
OLD_EVENTS = """
INSERT INTO sagas_event (stream, version, type, schema_version, data, metadata, at, era, xid)
SELECT o.id, s.n, s.type, 1, json_build_object('order_id', o.id), '{}', o.placed_at, 1, pg_current_xact_id()::text::bigint
  FROM shop_order o,
       unnest(ARRAY['shop.Sold', 'shop.Authorized', 'shop.Reserved', 'shop.Booked', 'shop.Confirmed'])
         WITH ORDINALITY AS s (type, n)
"""  # noqa: E501


class WaybillContender(Contender):
    """The engine as users run it: event log on, metrics on."""

    name: ClassVar[str] = "waybill"
    title: ClassVar[str] = "Waybill"
    durable: ClassVar[bool] = True
    size: ClassVar[int] = 20_000
    #: Of its one worker.
    processes: ClassVar[int] = PROCESSES
    #: Settings that differ from how users run it.
    variables: ClassVar[Mapping[str, str]] = {}

    def check(self) -> str:
        """Always there."""
        return "this version"

    def install(self, place: Place) -> None:
        """Its migrations, and a history for the old orders, which its readers have behind them."""
        subprocess.run(
            [*MANAGE, "migrate", "--no-input", "--verbosity", "0"], cwd=BASE_DIR, env=env_of(place), check=True
        )  # fmt: skip
        with place.connect() as connection:
            self.remember(connection)
        subprocess.run(
            [sys.executable, "-m", READERS], cwd=BASE_DIR, env=os.environ | env_of(place), check=True
        )

    def remember(self, connection: psycopg.Connection[Any]) -> None:
        """Give the old orders a history."""
        with connection.transaction():
            for statement in (OLD_SAGAS, OLD_STEPS, OLD_EVENTS):
                connection.execute(statement)

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        """One worker and the loops."""
        state = state_of(place)
        state.prepare()
        stack = Stack(state, purpose="benchmark", worker_processes=self.processes)
        stack.env = env_of(place) | dict(self.variables)
        try:
            stack.supervisor.start(stack.worker(WORKER, queues=(*QUEUES, QUEUE)))
            stack.supervisor.start(stack.keep())
            with place.connect() as connection, helper(stack.env, DRIVER) as driver:
                yield _Waybill(connection, driver, stack.supervisor.pid(WORKER))
        finally:
            stack.supervisor.stop_all()
            state.remove()


class StepByStep(WaybillContender):
    """The same engine with a transaction for every step, as peers and limits have it."""

    name: ClassVar[str] = "waybill-steps"
    title: ClassVar[str] = "Waybill, a commit for each step"
    variables: ClassVar[Mapping[str, str]] = {"WAYBILL_RUNS": "off"}


class _Waybill(Running):
    def __init__(
        self, connection: psycopg.Connection[object], driver: subprocess.Popen[bytes], worker: int
    ) -> None:
        self._connection, self._driver, self._worker = connection, driver, worker

    def load(self, orders: Sequence[Wanted]) -> None:
        self._ask("load", orders)
        wait_for_all(self._connection, orders)

    def one(self, order: Wanted) -> None:
        self._ask("one", [order])
        wait_for_end(self._connection, order)

    def workers(self) -> Sequence[int]:
        return family(self._worker)

    def _ask(self, work: str, orders: Sequence[Wanted]) -> None:
        if wrong := ask(self._driver, (work, list(orders))):
            raise RuntimeError(f"Taking orders in failed: {wrong}")


@contextmanager
def helper(env: Mapping[str, str], module: str, *, role: str = "manage") -> Iterator[subprocess.Popen[bytes]]:
    """A process with Django in it that answers requests over its pipes, up for the length of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=BASE_DIR, env=os.environ | dict(env) | {"WAYBILL_ROLE": role},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """It ends by itself when nobody asks any more; a machine that is stuck must not cost what has been measured."""
    try:
        process.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def ask(process: subprocess.Popen[bytes], request: object) -> Any:
    """Send a helper one request and wait for its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    pickle.dump(request, process.stdin)
    process.stdin.flush()
    return pickle.load(process.stdout)  # noqa: S301 - from our own child


def state_of(place: Place) -> State:
    """Where the workers and loops of a place keep their things."""
    return State(place.folder / WaybillContender.name)


def env_of(place: Place) -> dict[str, str]:
    """What a process of Waybill's is told about a place."""
    state = state_of(place)
    return os.environ | {
        "WAYBILL_STATE": str(state.root),
        "PROMETHEUS_MULTIPROC_DIR": str(state.metrics),
        "WAYBILL_SECRET_KEY": "only-for-a-benchmark",
        "WAYBILL_LOG_LEVEL": "WARNING",
        "DATABASE_URL": place.database_url,
        "REDIS_URL": place.redis_url,
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "WAYBILL_APP_QUEUES": QUEUE,
    }
