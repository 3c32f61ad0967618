"""`make bench-flow`: the full order flow on the real apps, as a ratio to what bounds it, in one run.

Ends with 1 if the books do not balance, or if the sides did not do the same work. A missed target is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import stand


def main() -> int:
    """Measure, print, keep."""
    wanted = _arguments()
    with stand.own_folder() as folder:
        state = stand.begin(folder)
        from benchmarks import machine
        from benchmarks.full_flow import report
        from benchmarks.full_flow.course import Course
        from benchmarks.full_flow.system import running

        with running(state, old=wanted.old, processes=wanted.processes) as system:
            course = Course(system, wanted.orders, wanted.http_orders, wanted.repeats, _say)
            course.run()
            facts = machine.facts()
    sides = report.figures(course.loads)
    run = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "wanted": {name: value for name, value in vars(wanted).items() if name != "out"},
        "machine": facts, "ratios": report.ratios(sides), "sides": sides, "wrong": course.wrong,
    }  # fmt: skip
    wanted.out.mkdir(parents=True, exist_ok=True)
    (wanted.out / "bench-flow.json").write_text(json.dumps(run, indent=2) + "\n")
    (wanted.out / "bench-flow.md").write_text(report.markdown(run))
    _say(report.markdown(run))
    return 1 if course.wrong else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=5_000, help="orders of a load inside the processes")
    parser.add_argument("--http-orders", type=int, default=3_000, help="orders of a load over HTTP")
    parser.add_argument("--repeats", type=int, default=3, help="loads of each side")
    parser.add_argument("--old", type=int, default=20_000, help="finished orders in the tables before")
    parser.add_argument(
        "--processes", type=int, default=2, help="worker processes, and processes of each script"
    )
    parser.add_argument("--out", type=Path, default=Path(".waybill"), help="where the report goes")
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
