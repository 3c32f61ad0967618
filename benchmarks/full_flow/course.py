"""The course: loads by turns, each on tables of the same size, and the books read after every round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from benchmarks.full_flow import checks, loads, rows
from benchmarks.full_flow.loads import Load
from benchmarks.full_flow.system import BY_HAND, System
from orders.contract import CHOREOGRAPHY, ORCHESTRATION
from sagas.clock import database_now

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
                loads.waybill(self.system, style, f"warm-{style}", self.orders // 10, database_now())
            loads.by_hand(self.system, "warm", self.orders // 10, database_now())
            for turn in range(self.repeats):
                self._round(turn)
        with self.system.over_http() as url:
            for style in OVER_HTTP:
                loads.waybill(
                    self.system, style, f"http-warm-{style}", self.http_orders // 10, database_now()
                )
            for turn in range(self.repeats):
                self._http_round(url, turn)
            asked = min(ASKED, self.http_orders)
            self._note(checks.other_calls(url, f"http-{ORCHESTRATION}-0", "calls-0", asked))
            self._note(checks.provider_differs(url, "http-"))

    def _round(self, turn: int) -> None:
        """Each side once, another one first each time. Orchestration and the script get the same orders."""
        name, day = f"flow-{turn}", database_now()
        _take_turns(turn, [
            partial(self._waybill, ORCHESTRATION, ORCHESTRATION, name, self.orders, day),
            partial(self._waybill, CHOREOGRAPHY, CHOREOGRAPHY, f"told-{turn}", self.orders, day),
            partial(self._by_hand, name, day),
        ])  # fmt: skip
        ours, theirs = self.loads[ORCHESTRATION][-1], self.loads[ROWS][-1]
        self._note(rows.changes_apart(ours.grown, theirs.grown))
        self._note(checks.other_rows(self.system, name, min(COMPARED, self.orders)))
        self._note([*checks.breaches(), *checks.breaches(BY_HAND)])

    def _http_round(self, url: str, turn: int) -> None:
        day = database_now()
        led = [
            partial(self._waybill, side, style, f"http-{style}-{turn}", self.http_orders, day)
            for style, side in OVER_HTTP.items()
        ]
        _take_turns(turn, [*led, partial(self._calls, url, f"calls-{turn}")])
        self._note(checks.breaches())

    def _waybill(self, side: str, style: str, name: str, orders: int, day: datetime) -> None:
        self._keep(side, loads.waybill(self.system, style, name, orders, day))

    def _by_hand(self, name: str, day: datetime) -> None:
        self._keep(ROWS, loads.by_hand(self.system, name, self.orders, day))

    def _calls(self, url: str, name: str) -> None:
        self._keep(CALLS, loads.calls_by_hand(self.system, url, name, self.http_orders))

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
