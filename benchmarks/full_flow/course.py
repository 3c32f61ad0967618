"""The course: loads by turns, each on tables of the same size, and the books read after every round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.full_flow import checks, loads, rows
from benchmarks.full_flow.loads import Load
from benchmarks.full_flow.system import BY_HAND, System
from orders.contract import CHOREOGRAPHY, ORCHESTRATION

#: How each side is called in the figures.
ROWS, CALLS = "same rows by hand", "same calls by hand"
OVER_HTTP = {ORCHESTRATION: "orchestration over HTTP", CHOREOGRAPHY: "choreography over HTTP"}
#: So many orders of a load are compared row by row; of all of them the counts are.
COMPARED = 1_000
#: So many orders of each side are asked after at the sandbox.
ASKED = 50


@dataclass
class Course:
    """All loads of one run by side, and whatever was found wrong."""

    system: System
    orders: int
    http_orders: int
    repeats: int
    say: Callable[[str], None]
    loads: dict[str, list[Load]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Measure everything."""
        with self.system.in_process():
            for style in OVER_HTTP:
                loads.waybill(self.system, style, f"warm-{style}", self.orders // 10)
            loads.by_hand(self.system, "warm", self.orders // 10)
            for turn in range(self.repeats):
                self._round(turn)
        with self.system.over_http() as url:
            for style in OVER_HTTP:
                loads.waybill(self.system, style, f"http-warm-{style}", self.http_orders // 10)
            for turn in range(self.repeats):
                self._http_round(url, turn)
            self._note(
                checks.other_calls(url, "http-orchestration-0", "calls-0", min(ASKED, self.http_orders))
            )
            self._note(checks.provider_differs(url, "http-"))

    def _round(self, turn: int) -> None:
        """Each side once, another one first each time. Orchestration and the script get the same orders."""
        name, system = f"flow-{turn}", self.system
        _take_turns(turn, [
            lambda: self._keep(ORCHESTRATION, loads.waybill(system, ORCHESTRATION, name, self.orders)),
            lambda: self._keep(CHOREOGRAPHY, loads.waybill(system, CHOREOGRAPHY, f"told-{turn}", self.orders)),
            lambda: self._keep(ROWS, loads.by_hand(system, name, self.orders)),
        ])  # fmt: skip
        ours, theirs = self.loads[ORCHESTRATION][-1], self.loads[ROWS][-1]
        self._note(rows.changes_apart(ours.grown, theirs.grown))
        self._note(checks.other_rows(system, name, min(COMPARED, self.orders)))
        self._note([*checks.breaches(), *checks.breaches(BY_HAND)])

    def _http_round(self, url: str, turn: int) -> None:
        count, system = self.http_orders, self.system
        sides: list[Callable[[], None]] = [
            lambda style=style, name=name: self._keep(  # type: ignore[misc]
                name, loads.waybill(system, style, f"http-{style}-{turn}", count)
            )
            for style, name in OVER_HTTP.items()
        ]
        calls_too = lambda: self._keep(CALLS, loads.calls_by_hand(system, url, f"calls-{turn}", count))  # noqa: E731
        _take_turns(turn, [*sides, calls_too])
        self._note(checks.breaches())

    def _keep(self, side: str, load: Load) -> None:
        self.loads.setdefault(side, []).append(load)
        self.say(f"{side}: {load.rate:.0f} orders/s")

    def _note(self, wrong: Sequence[str]) -> None:
        for line in wrong:
            self.say(f"WRONG: {line}")
        self.wrong += wrong


def _take_turns(turn: int, sides: Sequence[Callable[[], None]]) -> None:
    first = turn % len(sides)
    for go in [*sides[first:], *sides[:first]]:
        go()
