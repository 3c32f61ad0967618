"""The whole system as `make up` runs it, with the web server, in a folder of its own; and the bare view beside it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.stand import OPEN, Stuck
from config.embedded.programs import Program, answers_http, free_port
from config.embedded.stack import Stack, web_command
from config.embedded.state import BASE_DIR, State
from sagas.sql import rows

BARE_SETTINGS = "benchmarks.load.bare.settings"
#: One shop sends the whole load, so what protects shops from each other is out of its way.
LIMITS = ("WAYBILL_API_RATE", "WAYBILL_API_BURST", "WAYBILL_BULK_RATE", "WAYBILL_BULK_BURST")
NO_LIMIT = "1000000"
#: So long nothing at all came forward: it is stuck.
STALL_SECONDS = 60.0


@contextmanager
def own_system(state: State, *, workers: int) -> Iterator[Stack]:
    """Database, broker, sandbox, workers, loops and web server. Stopped at the end."""
    os.environ |= dict.fromkeys(LIMITS, NO_LIMIT) | {"WAYBILL_LOG_LEVEL": "INFO"}
    stack = Stack(
        state, web=True, web_port=free_port(), workers=workers, purpose="make load",
        sandbox_arguments=("--profile", "quiet"),
    )  # fmt: skip
    with stack:
        stack.migrate()
        stack.start_platform()
        yield stack


@contextmanager
def bare_view(stack: Stack) -> Iterator[str]:
    """A second web server with the bare view, run by the same command. Its address; ended at the end."""
    url = f"http://127.0.0.1:{free_port()}"
    stack.supervisor.start(
        Program(
            name="bare",
            command=tuple(web_command(url.removeprefix("http://"))),
            env=stack.env | {"WAYBILL_ROLE": "web", "DJANGO_SETTINGS_MODULE": BARE_SETTINGS},
            cwd=BASE_DIR,
            ready=answers_http(f"{url}/health/live"),
        )
    )
    try:
        yield url
    finally:
        stack.supervisor.stop("bare")


@contextmanager
def nobody_at_work(stack: Stack) -> Iterator[None]:
    """Workers and loops are away, and come back at the end."""
    programs = [stack.worker(f"worker-{n}") for n in range(1, stack.workers + 1)] + [stack.keep()]
    for program in programs:
        stack.supervisor.stop(program.name)
    try:
        yield
    finally:
        for program in programs:
            stack.supervisor.start(program)


def come_to_rest() -> float:
    """Wait until every saga has ended and every reader has read everything; the seconds it took.

    Raises Stuck when for a minute nothing has come forward.
    """
    from config.demo.run import lagging

    began = moved = time.monotonic()
    left = (-1, -1)
    while (now := (int(rows(OPEN)[0][0]), len(lagging()))) != (0, 0):
        moved, left = (time.monotonic(), now) if now != left else (moved, left)
        if time.monotonic() - moved > STALL_SECONDS:
            raise Stuck(f"{now[0]} sagas and {now[1]} readers do not come to an end.")
        time.sleep(0.2)
    return time.monotonic() - began
