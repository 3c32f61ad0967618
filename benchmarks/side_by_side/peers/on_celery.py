"""Two ways to do the shop's work with Django and Celery: the textbook saga, and a bare canvas chain.

Both run on one small project (django_shop), with a process that takes orders in and a prefork worker.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from benchmarks.side_by_side.contender import Contender, Place, Running, wait_for_all, wait_for_end
from benchmarks.side_by_side.peers import django_shop
from benchmarks.side_by_side.peers.hands import ROOT, Hand, children_of, hands
from benchmarks.side_by_side.peers.intake import pack
from benchmarks.side_by_side.workload import Wanted

PROCESSES = 4
PROJECT = django_shop.__name__


class CeleryRunning(Running):
    """One process that takes orders in, one worker with its pool."""

    def __init__(self, front: Hand, worker: int, connection: psycopg.Connection[Any]) -> None:
        self._front = front
        self._worker = worker
        self._connection = connection

    def load(self, orders: Sequence[Wanted]) -> None:
        self._front.do(pack(orders))
        wait_for_all(self._connection, orders)

    def one(self, order: Wanted) -> None:
        self._front.send(pack([order]))
        wait_for_end(self._connection, order)
        self._front.wait()

    def workers(self) -> Sequence[int]:
        return [self._worker, *children_of(self._worker)]


class OnCelery(Contender):
    """What both have in common."""

    #: The module of the project that holds its tasks.
    style: ClassVar[str]

    def check(self) -> str:
        return f"{version('celery')} on Django {version('django')}"

    def install(self, place: Place) -> None:
        command = [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=os.environ | self._env(place), check=True)

    @contextmanager
    def running(self, place: Place) -> Iterator[Running]:
        env = self._env(place)
        with (
            _worker(place, env) as worker,
            hands(f"{PROJECT}.front", place, 1, env) as fronts,
            place.connect() as connection,
        ):
            yield CeleryRunning(fronts[0], worker, connection)

    def _env(self, place: Place) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": f"{PROJECT}.settings",
            "SHOP_DATABASE": place.conninfo,
            "SHOP_BROKER": place.redis_url,
            "SHOP_STYLE": self.style,
            "SHOP_QUEUE": f"peer-{self.name}",
            "SHOP_READY_FILE": str(place.folder / f"{self.name}.ready"),
        }


class DjangoCelery(OnCelery):
    """Rows for the saga and its steps through the ORM, a task per step."""

    name = "django-celery"
    title = "Textbook Django saga on Celery"
    durable = True
    size = 600
    style = "sagas"


class Canvas(OnCelery):
    """A chain, and no state beside it."""

    name = "canvas"
    title = "Celery canvas chain"
    durable = False
    size = 900
    style = "canvas"


@contextmanager
def _worker(place: Place, env: Mapping[str, str]) -> Iterator[int]:
    """A Celery worker with its pool, taking tasks. Its log lies in the place's folder."""
    from config.embedded.programs import Program, file_exists
    from config.embedded.supervisor import Supervisor

    ready = Path(env["SHOP_READY_FILE"])
    supervisor = Supervisor(processes=place.folder, logs=place.folder)
    program = Program(
        name=env["SHOP_QUEUE"],
        command=tuple(_command(env["SHOP_QUEUE"])),
        env=env,
        cwd=ROOT,
        prepare=lambda: ready.unlink(missing_ok=True),
        ready=file_exists(ready),
    )
    try:
        supervisor.start(program)
        yield supervisor.pid(program.name)
    finally:
        supervisor.stop_all()


def _command(queue: str) -> Iterator[str]:
    yield from (
        sys.executable,
        "-m",
        "celery",
        "--app",
        f"{PROJECT}.app",
        "worker",
        "--hostname",
        f"{queue}@%h",
    )
    yield from ("--queues", queue, "--pool", "prefork", "--concurrency", str(PROCESSES))
    yield from ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING")
