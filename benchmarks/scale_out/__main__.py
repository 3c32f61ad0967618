"""`make bench-scale`: more worker processes, a worker for each app, and on paper as many machines as it takes.

Two parts, each on services of its own: the shop's workload with more and more processes in one worker, and the full
order flow with all queues in one worker and with a worker for each. What an order costs there goes into a model
(`model.py`), which says how much a site needs at a rate and what breaks first. Ends with 1 when books do not balance.
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
from statistics import median
from types import FrameType
from typing import Any

from benchmarks import machine, stand
from benchmarks.scale_out import report, shop
from benchmarks.scale_out.model import Costs, Site
from benchmarks.side_by_side import meters
from benchmarks.side_by_side.course import BooksBroken, Plan
from benchmarks.side_by_side.figures import HAPPY, Found
from benchmarks.side_by_side.stage import own_stage
from config.embedded.state import replace_text

PARTS = ("shop", "flow")
SHOP, FLOW = "shop", "full order flow"


@dataclass
class Run:
    """What is wanted, and what has been found so far: lines for the report, values for the JSON."""

    wanted: argparse.Namespace
    at: str
    lines: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    costs: dict[str, Costs] = field(default_factory=dict)
    ok: bool = True

    def parts(self) -> None:
        """Measure every part that is wanted, and keep what is found after each."""
        known: dict[str, Callable[[], Iterator[str]]] = {"shop": self.shop, "flow": self.flow}
        for name in self.wanted.parts:
            self.lines += known[name]()
            self.keep()

    def shop(self) -> Iterator[str]:
        """The shop's workload with each number of processes."""
        wanted = self.wanted
        plan = Plan(wanted.repeats, wanted.scale, wanted.alone)
        with own_stage() as stage:
            with stage.connect() as connection:
                self.values["machine"] = {**machine.hardware(), **machine.database(connection)}
            found = Found(self.at, vars(plan), {})
            course = shop.ScaleCourse(stage, plan, found, say=say, keep=lambda _: None)
            try:
                course.run([shop.with_processes(number) for number in wanted.processes])
            except BooksBroken as broken:
                found.broken = str(broken)
        self.values["shop"] = found.to_json()
        self.ok = self.ok and not found.broken and not found.failed
        yield from self._shop(found)

    def _shop(self, found: Found) -> Iterator[str]:
        yield "## The shop's workload, one worker"
        yield ""
        yield from (f"- Broke down: {name}. {why}" for name, why in found.failed.items())
        if found.broken:
            yield f"- **The books do not balance: {found.broken}**"
            return
        numbers = [number for number in self.wanted.processes if shop.name_of(number) not in found.failed]
        yield from report.rates([self._shop_line(found, number) for number in numbers])
        if numbers:
            self.costs[SHOP] = shop.costs(found, numbers)

    def _shop_line(self, found: Found, number: int) -> report.Line:
        name, title = shop.name_of(number), f"{number} process{'es' * (number > 1)}"
        commits, log_kb = (found.median(name, HAPPY, value) or 0.0 for value in ("commits", "wal_kb"))
        usage = shop.usage(found, number, self._cores)
        return report.Line(title, usage, shop.alone_ms(found, number), commits, log_kb)

    @property
    def _cores(self) -> int:
        return int(machine.hardware()["cores"])

    def flow(self) -> Iterator[str]:
        """The full flow in each arrangement. Django is set up in this process, so it comes last."""
        wanted = self.wanted
        with stand.own_folder() as folder:
            state = stand.begin(folder, settings_module="benchmarks.full_flow.settings")
            from benchmarks.scale_out import flow

            with flow.course(
                state, orders=wanted.orders, old=wanted.old, repeats=wanted.repeats, alone=wanted.alone,
                processes=wanted.in_one, say=say,
            ) as course:  # fmt: skip
                found = course.run(flow.arrangements(wanted.in_one, wanted.per_app))
                reader_ms, hops = course.reader_ms(), flow.hops()
                self.values["machine"] = self.values.get("machine") or machine.facts()
        self.values["flow"] = [asdict(one) for one in found]
        fastest = max(found, key=lambda one: one.per_second)
        shelf_ms = min((median(one.shelf_ms) for one in found if one.shelf_ms), default=0.0)
        self.costs[FLOW] = fastest.costs(reader_ms=reader_ms, shelf_ms=shelf_ms)
        lines = [
            report.Line(
                one.arrangement.title, one.usage(self._cores), one.alone_ms, one.cost("commits"),
                one.cost("wal_bytes") / 1024, one.cost("messages"),
            )
            for one in found
        ]  # fmt: skip
        yield "## The full order flow"
        yield ""
        yield from report.rates(lines)
        yield from report.hop(lines[:2], lines[2], hops)

    def text(self) -> str:
        """The report so far."""
        lines = ["# Scale-out", "", f"Run of {self.at}.", "", *self.lines]
        if self.costs:
            lines += ["## What an order costs, and what follows", "", *report.coefficients(self.costs)]
            lines += report.model(self.costs, site_of(self.wanted))
        return "\n".join([*lines, *report.measured_on(self.values.get("machine", {}))]) + "\n"

    def keep(self) -> None:
        """Write both files."""
        self.wanted.out.parent.mkdir(parents=True, exist_ok=True)
        self.wanted.json.parent.mkdir(parents=True, exist_ok=True)
        costs = {name: asdict(one) for name, one in self.costs.items()}
        replace_text(self.wanted.out, self.text())
        replace_text(
            self.wanted.json, json.dumps({"at": self.at, "costs": costs, **self.values}, indent=2) + "\n"
        )


def main(given: Sequence[str] | None = None) -> int:
    """Measure and report; or redo the model for what an earlier run has found."""
    wanted = _arguments(given)
    if wanted.model:
        kept = json.loads(wanted.model.read_text())["costs"]
        costs = {name: Costs(**values) for name, values in kept.items()}
        say("\n".join([*report.coefficients(costs), *report.model(costs, site_of(wanted))]))
        return 0
    run = Run(wanted, datetime.now(UTC).isoformat(timespec="seconds"))
    signal.signal(signal.SIGTERM, _leave)
    meters.adopt_orphans()
    run.parts()
    say(run.text())
    say(f"The report: {wanted.out}. The figures: {wanted.json}.")
    return 0 if run.ok else 1


def site_of(wanted: argparse.Namespace) -> Site:
    """What the model is asked."""
    return Site(orders_per_minute=wanted.rate, cores_of_a_primary=wanted.cores, busy=wanted.busy)


def say(text: str) -> None:
    """Tell whoever waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End like Ctrl-C does, so that everything is stopped in order."""
    raise KeyboardInterrupt


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_out", description=__doc__)
    parser.add_argument(
        "--parts", nargs="*", choices=PARTS, default=[], help="these only; both when none is named"
    )
    parser.add_argument(
        "--processes", nargs="*", type=int, default=[1, 2, 4], help="worker processes for the shop"
    )
    parser.add_argument("--in-one", type=int, default=2, help="processes of one worker for the full flow")
    parser.add_argument("--per-app", type=int, default=1, help="processes of each where every app has one")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="size of the shop's loads; 1 is 20,000 orders"
    )
    parser.add_argument("--orders", type=int, default=5_000, help="orders of a load of the full flow")
    parser.add_argument("--old", type=int, default=20_000, help="finished orders in the tables before")
    parser.add_argument("--alone", type=int, default=100, help="orders sent one after the other")
    parser.add_argument("--rate", type=float, default=1_000_000, help="orders a minute, for the model")
    parser.add_argument("--cores", type=int, default=32, help="cores of a primary, for the model")
    parser.add_argument(
        "--busy", type=float, default=0.6, help="how much of a core is used at most, for the model"
    )
    parser.add_argument("--out", type=Path, default=Path(".waybill/scale-out.md"), help="the report")
    parser.add_argument("--json", type=Path, default=Path(".waybill/scale-out.json"), help="the figures")
    parser.add_argument(
        "--model", type=Path, metavar="JSON", help="measure nothing; redo the model of a kept run"
    )
    wanted = parser.parse_args(given)
    wanted.parts = wanted.parts or list(PARTS)
    return wanted


if __name__ == "__main__":
    sys.exit(main())
