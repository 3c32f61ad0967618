"""A whole running system of a benchmark's own, in a temporary folder, and what is counted on it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from django.conf import settings

from config.embedded.stack import Stack
from config.embedded.state import State
from sagas.sql import execute, rows

#: What the shell may hold and a measurement must not see.
FOREIGN = ("DATABASE_URL", "REDIS_URL", "WAYBILL_SANDBOX_URL", "WAYBILL_CRASH_POINT", "SENTRY_DSN",
           "FULFILMENT_STYLE", "WAYBILL_ROLE", "PAYMENT_GATEWAY")  # fmt: skip
#: Nothing has moved for so long: it is stuck.
STALL_SECONDS = 60.0

COUNTERS = """
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint,
       (SELECT count(*) FROM sagas_event)
"""
OPEN = "SELECT count(*) FROM sagas_saga WHERE finished_at IS NULL"


class Stuck(Exception):
    """It did not come to rest. The message says what is left."""


def begin(folder: Path, *, settings_module: str = "config.settings") -> State:
    """Point Django at a state folder. Before anything reads the settings."""
    for name in FOREIGN:
        os.environ.pop(name, None)
    state = State(folder)
    state.prepare()
    os.environ |= {
        "WAYBILL_STATE": str(folder),
        "WAYBILL_SECRET_KEY": state.secret_key(),
        "WAYBILL_LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": settings_module,
    }
    import django

    django.setup()
    return state


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder that goes at the end."""
    root = Path(tempfile.mkdtemp(prefix="waybill-bench-"))
    root.chmod(0o711)  # the database's account must be able to pass through
    try:
        yield root
    finally:
        State(root).remove()
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def own_system(state: State, *, profile: str = "quiet") -> Iterator[Stack]:
    """Database, broker, sandbox, workers and loops, as `make up` runs them. Stopped at the end."""
    stack = Stack(state, purpose="benchmark", sandbox_arguments=("--profile", profile))
    with stack:
        stack.migrate()
        stack.start_platform()
        yield stack


@dataclass(frozen=True)
class Counters:
    """Where the meters stand: transactions that wrote, bytes of the database's log, messages, events."""

    at: float
    commits: int
    wal_bytes: int
    messages: int
    events: int

    @classmethod
    def read(cls) -> Counters:
        """Read them all."""
        commits, wal, events = rows(COUNTERS)[0]
        return cls(time.monotonic(), commits, int(wal), _messages(), events)

    def per_order(self, since: Counters, idle: Sequence[float], orders: int) -> dict[str, float]:
        """What went by since then for each order, less what an idle system does in that time."""
        seconds = self.at - since.at
        names = ("commits", "wal_bytes", "messages", "events")
        gone = [getattr(self, n) - getattr(since, n) for n in names]
        return {n: (g - i * seconds) / orders for n, g, i in zip(names, gone, idle, strict=True)}


def idle_rates(seconds: float) -> list[float]:
    """What an idle system does each second: commits, bytes, messages, events."""
    before = Counters.read()
    time.sleep(seconds)
    found = Counters.read().per_order(before, (0, 0, 0, 0), 1)
    return [value / seconds for value in found.values()]


def _messages() -> int:
    """Celery's messages so far: it pushes one each."""
    client = redis.Redis.from_url(settings.WAYBILL.redis_url)
    found = client.info("commandstats")
    client.close()
    assert isinstance(found, dict)
    return int(found.get("cmdstat_lpush", {}).get("calls", 0))


def wait_until(
    true: Callable[[], bool],
    *,
    look_seconds: float = 0.002,
    what: str = "it",
    within_seconds: float = STALL_SECONDS,
) -> float:
    """Look until something holds. Returns the monotonic time of the look that saw it. Raises Stuck."""
    end = time.monotonic() + within_seconds
    while time.monotonic() < end:
        if true():
            return time.monotonic()
        time.sleep(look_seconds)
    raise Stuck(f"{what} did not come to be within {within_seconds:.0f} s")


def wait_for_rest(*, everybody: bool = True) -> None:
    """Until every saga has ended and every reader has read everything, or all but those that look only now and then."""
    from config.demo.run import at_rest, lagging

    def read() -> bool:
        return not lagging() if everybody else at_rest()

    wait_until(lambda: rows(OPEN)[0][0] == 0 and read(), look_seconds=0.2, what="the end of all sagas")


def analyze() -> None:
    """Let the planner know the tables, in both styles alike."""
    execute("ANALYZE")
