"""`make bench`: Waybill, its peers and the bare limits over the same orders on one PostgreSQL, in one run.

Figures of one run may be compared with one another; with those of another machine or day only their ratios. Ends with
1 when the books of any contender do not balance, or when one breaks down. A target that is missed is only shown.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from benchmarks import machine
from benchmarks.side_by_side import charts, meters, report
from benchmarks.side_by_side.contenders import Unknown, named
from benchmarks.side_by_side.course import BooksBroken, Course, Plan
from benchmarks.side_by_side.figures import Found
from benchmarks.side_by_side.stage import Stage, own_stage
from config.embedded.state import replace_text

INTERRUPTED = 130


def main(given: Sequence[str] | None = None) -> int:
    """Measure, or read a kept run; then write the report and the charts."""
    wanted = _arguments(given)
    found = _kept(wanted.render) if wanted.render else _measured(wanted)
    wanted.out.parent.mkdir(parents=True, exist_ok=True)
    wanted.out.write_text(report.markdown(found))
    pictures = charts.write(found, wanted.charts)
    _say(report.markdown(found))
    _say(f"The report: {wanted.out}. Charts: {', '.join(map(str, pictures)) or 'none'}.")
    if found.broken or found.failed:
        return 1
    return 0 if found.complete else INTERRUPTED


def _measured(wanted: argparse.Namespace) -> Found:
    """Run the course. What is found is kept after each measurement."""
    plan = Plan(wanted.repeats, wanted.scale, wanted.alone)
    signal.signal(signal.SIGTERM, _leave)
    meters.adopt_orphans()
    with own_stage() as stage:
        found = Found(datetime.now(UTC).isoformat(timespec="seconds"), vars(plan), _machine(stage))
        course = Course(stage, plan, found, say=_say, keep=lambda f: _keep(wanted.json, f))
        try:
            course.run(wanted.contenders)
            found.complete = True
        except BooksBroken as broken:
            found.broken = str(broken)
            _say(f"THE BOOKS DO NOT BALANCE. {broken}")
        except KeyboardInterrupt:
            _say("Stopped. What was found so far is kept.")
        _keep(wanted.json, found)
    return found


def _machine(stage: Stage) -> dict[str, object]:
    with stage.connect() as connection:
        return {
            **machine.hardware(),
            **machine.database(connection),
            "broker": machine.broker(stage.state.redis_url),
        }


def _keep(file: Path, found: Found) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_text(file, json.dumps(found.to_json(), indent=2) + "\n")


def _kept(file: Path) -> Found:
    return Found.from_json(json.loads(file.read_text()))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End like Ctrl-C does, so that everything is stopped in order."""
    raise KeyboardInterrupt


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.side_by_side", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="turns of each contender")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="size of the loads; 1 is about ten seconds each"
    )
    parser.add_argument("--alone", type=int, default=200, help="orders sent one after the other")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="these contenders only")
    parser.add_argument("--out", type=Path, default=Path(".waybill/bench.md"), help="the report")
    parser.add_argument(
        "--json", type=Path, default=Path(".waybill/bench.json"), help="the figures, as they come"
    )
    parser.add_argument(
        "--charts", type=Path, default=Path(".waybill/bench-charts"), help="a folder for the charts"
    )
    parser.add_argument("--render", type=Path, metavar="JSON", help="measure nothing; report a kept run anew")
    wanted = parser.parse_args(given)
    try:
        wanted.contenders = named(wanted.only)
    except Unknown as unknown:
        parser.error(str(unknown))
    return wanted


if __name__ == "__main__":
    sys.exit(main())
