"""`python -m benchmarks.full_flow.profile`: what each part of the flow costs, in this process, step by step.

No worker and no broker's messages: every step takes its batches one after the other, then every reader. So what is
printed is the cost of the work itself, in milliseconds per order: Python's, PostgreSQL's, and where it goes.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import stand
from benchmarks.full_flow import meters
from benchmarks.side_by_side import workload
from config.embedded.stack import Stack
from config.garbage import search_rarely

TOP = 40


@dataclass
class Part:
    """What one step, reader or command took in all."""

    python_s: float = 0.0
    database_s: float = 0.0
    wall_s: float = 0.0
    statements: int = 0


class Profile:
    """Parts of the flow, and the statements of each."""

    def __init__(self, backend: int) -> None:
        self.parts: dict[str, Part] = defaultdict(Part)
        self.statements: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0])
        self._backend = backend
        self._now = ""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside under a name."""
        self._now = name
        began = time.process_time(), meters.cpu_of(self._backend), time.perf_counter()
        try:
            yield
        finally:
            part = self.parts[name]
            part.python_s += time.process_time() - began[0]
            part.database_s += meters.cpu_of(self._backend) - began[1]
            part.wall_s += time.perf_counter() - began[2]

    def watch(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Time one statement, for Django's `execute_wrapper`."""
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            found = self.statements[self._now, " ".join(sql.split())[:110]]
            found[0] += 1
            found[1] += time.perf_counter() - began
            self.parts[self._now].statements += 1


def settle(profile: Profile) -> None:
    """Run what is due and deliver what was published until nothing is."""
    from sagas.bus import subscriptions
    from sagas.clock import database_now
    from sagas.delivery import deliver
    from sagas.engine.work import work
    from sagas.keeping.relay import pass_all_unwanted
    from sagas.keeping.sweep import due_steps

    busy = 1
    while busy:
        busy = 0
        for name, _ in due_steps():
            with profile.part(name):
                busy += work(name, queues=frozenset(), seconds=60)
        unwanted = pass_all_unwanted()  # as `keep` has them pass by
        for sub in subscriptions():
            if sub.name in unwanted:
                continue
            with profile.part(sub.name):
                busy += deliver(sub.task(), now=database_now, seconds=60)


def run(orders: int, old: int, style: str, calls: cProfile.Profile | None) -> Profile:
    """The flow of so many orders, after as many old ones."""
    from django.db import connection

    from benchmarks.full_flow import goods
    from sagas.clock import database_now
    from sagas.sql import rows

    shop = goods.open_shop()
    profile = Profile(rows("SELECT pg_backend_pid()")[0][0])
    for name, count in (("old", old), ("new", orders)):
        stand.analyze()
        profile.parts.clear()
        profile.statements.clear()
        wanted = workload.orders(f"{style}-{name}", count)
        now = database_now()
        if calls and name == "new":
            calls.enable()
        with connection.execute_wrapper(profile.watch):
            with profile.part("placing"):
                goods.place(shop, wanted, style=style, placed_at=now, batch=100)
            settle(profile)
        if calls:
            calls.disable()
    return profile


def table(profile: Profile, orders: int) -> Iterator[str]:
    """Everything per order."""
    yield "| part | Python ms | PostgreSQL ms | wall ms | statements |"
    yield "|---|---|---|---|---|"
    parts = [(n, p) for n, p in profile.parts.items() if p.wall_s > 0.01]
    total = Part()
    for name, p in parts:
        yield _line(name, p, orders)
        total.python_s += p.python_s
        total.database_s += p.database_s
        total.wall_s += p.wall_s
        total.statements += p.statements
    yield _line("all", total, orders)
    yield "\n| part | statement | calls | ms of all | µs per order |"
    yield "|---|---|---|---|---|"
    ranked = sorted(profile.statements.items(), key=lambda item: -item[1][1])
    for (part, sql), (count, seconds) in ranked[:TOP]:
        yield f"| {part} | `{sql}` | {count:.0f} | {seconds * 1e3:.0f} | {seconds / orders * 1e6:.0f} |"


def _line(name: str, part: Part, orders: int) -> str:
    figures = [part.python_s * 1e3, part.database_s * 1e3, part.wall_s * 1e3]
    return f"| {name} | {' | '.join(f'{f / orders:.3f}' for f in figures)} | {part.statements} |"


def main() -> int:
    """Run it and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=2_000)
    parser.add_argument("--old", type=int, default=2_000)
    parser.add_argument("--style", default="orchestration")
    parser.add_argument("--calls", type=Path, help="also write Python's profile there (it slows everything)")
    wanted = parser.parse_args()
    calls = cProfile.Profile() if wanted.calls else None
    with stand.own_folder() as folder:
        state = stand.begin(folder, settings_module="benchmarks.full_flow.settings")
        with Stack(state, purpose="benchmark") as stack:
            stack.migrate()
            search_rarely()  # as a worker's process does
            profile = run(wanted.orders, wanted.old, wanted.style, calls)
    sys.stdout.write("\n".join(table(profile, wanted.orders)) + "\n")
    if calls:
        with wanted.calls.open("w") as out:
            stats = pstats.Stats(calls, stream=out)
            stats.sort_stats("tottime").print_stats(90)
            stats.sort_stats("cumulative").print_stats(150)
    return 0


if __name__ == "__main__":
    sys.exit(main())
