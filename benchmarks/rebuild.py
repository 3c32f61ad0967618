"""How fast is a projection built anew? `make bench-rebuild` (EVENTS=1000000).

On a PostgreSQL and a Valkey of its own, with the settings of `make up`: a log is written, live delivery takes it
in, then every registered projection is rebuilt, compared and swapped. Without any, one of its own is measured.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

from config.embedded.stack import Stack
from config.embedded.state import State


def main() -> None:
    """Measure and print."""
    options = _options()
    root = Path(tempfile.mkdtemp(prefix="waybill-bench-"))
    root.chmod(0o711)  # the database's account must be able to pass through
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    state = State(root)
    try:
        with Stack(state, purpose="make bench-rebuild") as stack:
            stack.migrate()
            os.environ |= stack.env | {
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "WAYBILL_LOG_LEVEL": "WARNING",
            }
            os.environ.pop("PROMETHEUS_MULTIPROC_DIR")
            _measure(options)
    finally:
        state.remove()
        shutil.rmtree(root, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=0, help="events in one transaction of a build")
    parser.add_argument(
        "--toy", action="store_true", help="measure the benchmark's own projection in any case"
    )
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from benchmarks import rebuild_log, rebuild_toy
    from sagas.projections import get_projection, projections

    began = time.monotonic()
    events = rebuild_log.load(options.events)
    print(f"{events:,} events written in {time.monotonic() - began:.0f} s")
    if options.toy or not projections():
        rebuild_toy.register()
    chosen = [get_projection(rebuild_toy.NAME)] if options.toy else projections()
    for one in chosen:
        _live(one.name)
        _rebuild(one.name, options.batch)


def _live(name: str) -> None:
    from sagas.clock import database_now
    from sagas.delivery import deliver

    began, taken = time.monotonic(), 0
    while delivered := deliver(name, now=database_now, seconds=5):
        taken += delivered
    seconds = time.monotonic() - began
    print(f"{name}: live delivery took in {taken:,} events in {seconds:.1f} s ({taken / seconds:,.0f}/s)")


def _rebuild(name: str, batch: int) -> None:
    from django.core.management import call_command

    call_command("rebuild_projection", name, **({"batch": batch} if batch else {}))


if __name__ == "__main__":
    main()
