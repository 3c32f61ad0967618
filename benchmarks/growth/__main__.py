"""`make bench-growth`: whether anything gets slower or fatter with the number of orders in the tables.

Four parts, each on services of its own: the shop's workload beside few and many finished orders, the engine's
statements beside very many finished sagas, the tables and a worker's memory after very many sagas, and the tables of
the full order flow. Ends with 1 when books do not balance or something breaks down. A target that is missed is shown.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks import machine
from benchmarks.growth import report
from benchmarks.growth.bloat import wear
from benchmarks.growth.entrants import grown
from benchmarks.growth.flow import wear_flow
from benchmarks.growth.history import History, NoRoom
from benchmarks.growth.hot import Hot
from benchmarks.growth.loads import GrowthCourse, compared
from benchmarks.side_by_side import meters
from benchmarks.side_by_side.course import BooksBroken, Plan
from benchmarks.side_by_side.figures import Found
from benchmarks.side_by_side.stage import Stage, own_stage
from config.embedded.state import replace_text

PARTS = ("load", "hot", "bloat", "flow")


@dataclass
class Run:
    """What is wanted, and what has been found so far: lines for the report, values for the JSON."""

    wanted: argparse.Namespace
    at: str
    lines: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    ok: bool = True

    def parts(self) -> None:
        """Measure every part that is wanted, and keep what is found after each."""
        known: dict[str, Callable[[], Iterator[str]]] = {
            "load": self.load, "hot": self.hot, "bloat": self.bloat, "flow": self.flow,
        }  # fmt: skip
        for name in self.wanted.parts:
            self.lines += known[name]()
            self.keep()

    def load(self) -> Iterator[str]:
        """The workload at two sizes."""
        wanted = self.wanted
        with own_stage() as stage:
            self._note_machine(stage)
            plan = Plan(wanted.repeats, wanted.scale, wanted.alone)
            found = Found(self.at, vars(plan), {})
            self._course(GrowthCourse(stage, plan, found, say=say, keep=lambda _: None))
        both = compared(found, wanted.small, wanted.large)
        self.values["load"] = found.to_json() | {"compared": [asdict(one) for one in both]}
        yield from report.loads(found, both, wanted.small, wanted.large)

    def _course(self, course: GrowthCourse) -> None:
        histories = [History(orders) for orders in (self.wanted.small, self.wanted.large)]
        for history in histories:
            history.insist_on_room(course.stage.cluster.data)
        try:
            course.run([grown(history) for history in histories])
        except BooksBroken as broken:
            course.found.broken = str(broken)
        self.ok = self.ok and not course.found.broken and not course.found.failed

    def hot(self) -> Iterator[str]:
        """The statements at two sizes."""
        small, large = (
            History(sagas, shop=False, steps=1, events=1) for sagas in (self.wanted.small, self.wanted.hot)
        )
        hot = Hot(small, large)
        with own_stage() as stage:
            self._note_machine(stage)
            found = hot.measure(hot.prepare(stage, say), say)
        self.values["hot"] = [asdict(one) for one in found]
        yield from report.hot(found, small, large)

    def bloat(self) -> Iterator[str]:
        """Tables and memory after many sagas."""
        with own_stage() as stage:
            self._note_machine(stage)
            found = wear(stage, self.wanted.sagas, settings=self.wanted.store, say=say)
        self.values["bloat"] = found.to_json()
        yield from report.worn(found)

    def flow(self) -> Iterator[str]:
        """Tables of the full flow. Django is set up in this process, so it comes last."""
        wanted = self.wanted
        found = wear_flow(wanted.orders, style=wanted.style, settings=wanted.store, say=say)
        self.values["flow"] = asdict(found)
        yield from report.flow(found)

    def _note_machine(self, stage: Stage) -> None:
        if "machine" not in self.values:
            with stage.connect() as connection:
                self.values["machine"] = {**machine.hardware(), **machine.database(connection)}

    def text(self) -> str:
        """The report so far."""
        lines = [*report.head(self.at, self.wanted.store), *self.lines]
        return "\n".join([*lines, *report.measured_on(self.values.get("machine", {}))]) + "\n"

    def keep(self) -> None:
        """Write both files."""
        self.wanted.out.parent.mkdir(parents=True, exist_ok=True)
        self.wanted.json.parent.mkdir(parents=True, exist_ok=True)
        replace_text(self.wanted.out, self.text())
        replace_text(self.wanted.json, json.dumps({"at": self.at, **self.values}, indent=2) + "\n")


def main(given: Sequence[str] | None = None) -> int:
    """Measure and report."""
    run = Run(_arguments(given), datetime.now(UTC).isoformat(timespec="seconds"))
    signal.signal(signal.SIGTERM, _leave)
    meters.adopt_orphans()
    try:
        run.parts()
    except (BooksBroken, NoRoom) as wrong:
        say(f"{type(wrong).__name__}: {wrong}")
        run.ok = False
    say(run.text())
    say(f"The report: {run.wanted.out}. The figures: {run.wanted.json}.")
    return 0 if run.ok else 1


def say(text: str) -> None:
    """Tell whoever waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End like Ctrl-C does, so that everything is stopped in order."""
    raise KeyboardInterrupt


def _stored(text: str) -> tuple[str, str]:
    table, _, options = text.partition(":")
    if not options:
        raise argparse.ArgumentTypeError("It must be TABLE:OPTION=VALUE,...")
    return table, options


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument(
        "--parts", nargs="*", choices=PARTS, default=[], help="these only; all when none is named"
    )
    parser.add_argument("--small", type=int, default=10_000, help="finished orders in the small tables")
    parser.add_argument("--large", type=int, default=1_000_000, help="finished orders in the large ones")
    parser.add_argument("--hot", type=int, default=10_000_000, help="finished sagas in the hot tables")
    parser.add_argument("--repeats", type=int, default=3, help="turns at each size")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the loads; 1 is 20,000 orders")
    parser.add_argument("--alone", type=int, default=200, help="orders sent one after the other")
    parser.add_argument("--sagas", type=int, default=200_000, help="how many run for the bloat")
    parser.add_argument("--orders", type=int, default=5_000, help="how many go through the full flow")
    parser.add_argument("--style", default="orchestration", help="and in which style")
    parser.add_argument(
        "--store", nargs="*", type=_stored, default=[], metavar="TABLE:OPTION=VALUE,...",
        help="storage settings to try in bloat and flow",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path(".waybill/growth.md"), help="the report")
    parser.add_argument("--json", type=Path, default=Path(".waybill/growth.json"), help="the figures")
    wanted = parser.parse_args(given)
    wanted.parts, wanted.store = wanted.parts or list(PARTS), dict(wanted.store)
    return wanted


if __name__ == "__main__":
    sys.exit(main())
