"""Run the loops that need no message: sweep, relay, intents, deadlines, rescue, retention, and the apps' own."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error as DatabaseError
from django.db import connection

from sagas import keeping, metrics
from sagas.clock import database_now
from sagas.loops import Loop, all_loops
from sagas.quoting import words_of

logger = structlog.get_logger(__name__)

#: The shortest rest between two rounds.
REST_SECONDS = 0.1


class Command(BaseCommand):
    """One small process; any number may run. Progress is made with an empty, flushed or dead broker."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="Run every loop once and end.")
        parser.add_argument(
            "--only", action="append", metavar="LOOP", help="Run only this loop (repeatable)."
        )

    def handle(self, *_: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        loops = [loop for loop in all_loops() if not options["only"] or loop.name in options["only"]]
        logger.info("keep_started", loops=[loop.name for loop in loops], package=keeping.__name__)
        if options["once"]:
            for loop in loops:
                _pass(loop)
            return
        _run(loops, stop)


def _run(loops: list[Loop], stop: threading.Event) -> None:
    due = {loop.name: 0.0 for loop in loops}
    while not stop.is_set():
        for loop in loops:
            if stop.is_set() or time.monotonic() < due[loop.name]:
                continue
            handled = _pass(loop)
            due[loop.name] = time.monotonic() + (0 if handled else loop.every)
        stop.wait(REST_SECONDS)


def _pass(loop: Loop) -> int:
    """One bounded batch. A loop that fails is logged and tried again; it never stops the others."""
    try:
        handled = loop.body(now=database_now())
    except DatabaseError as error:
        logger.warning("loop_interrupted", loop=loop.name, error=words_of(error)[:300])
        connection.close()
        return 0
    except Exception:
        logger.exception("loop_failed", loop=loop.name)
        return 0
    metrics.SWEPT.labels(loop.name).inc(handled)
    return handled
