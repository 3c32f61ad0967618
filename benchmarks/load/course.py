"""The course of the load: intake with nobody at work, the search, the rate that is held, and the books."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.load import holding, intake
from benchmarks.load.holding import Held
from benchmarks.load.intake import Intake
from benchmarks.load.shop import Shop
from benchmarks.load.system import bare_view, come_to_rest, nobody_at_work
from benchmarks.stand import analyze
from config.audit import audit, passed
from config.audit.listing import fetch
from config.embedded.stack import Stack

FIRST_RATE = 20.0
#: Before anything counts, so many orders go the whole way.
WARM_UP_RATE, WARM_UP_SECONDS = 20.0, 10.0


@dataclass(frozen=True)
class Wanted:
    """What is to be measured. Without a rate the highest one is looked for."""

    minutes: float
    rate: float | None
    step_seconds: float
    intake_orders: int
    intake_rounds: int


@dataclass
class Course:
    """All measurements of one run."""

    stack: Stack
    shop: Shop
    wanted: Wanted
    say: Callable[[str], None]
    intake: Intake = field(default_factory=Intake)
    searched: list[Held] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    stretches: int = 0

    def run(self) -> None:
        """Measure everything."""
        self._hold(WARM_UP_RATE, WARM_UP_SECONDS)
        analyze()
        self._take_in()
        rates = [self.wanted.rate] if self.wanted.rate else holding.downwards(self._search())
        for rate in rates:
            self.held.append(self._hold(rate, self.wanted.minutes * 60))
            if self.held[-1].good:
                return

    def audit(self) -> bool:
        """Whether the books balance, ours and the provider's."""
        findings = audit(fetch(self.stack.env["WAYBILL_SANDBOX_URL"]))
        for finding in findings:
            if finding.breaches or finding.skipped:
                self.say(f"{finding.invariant} {finding.promise}: {finding.skipped or finding.examples}")
        return passed(findings)

    @property
    def good(self) -> bool:
        """Whether a rate was held for the whole time."""
        return bool(self.held) and self.held[-1].good

    def found(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "intake": {
                "orders_per_second": self.intake.rounds,
                "median": {way: self.intake.rate(way) for way in self.intake.rounds},
                "single_to_bare": self.intake.single_to_bare,
                "bulk_to_single": self.intake.bulk_to_single,
            },
            "searched": [asdict(h) | {"good": h.good} for h in self.searched],
            "held": [asdict(h) | {"good": h.good} for h in self.held],
        }

    def _take_in(self) -> None:
        with bare_view(self.stack) as bare_url, nobody_at_work(self.stack):
            self.intake = intake.measure(
                self.shop, self.stack.web_url, bare_url,
                orders=self.wanted.intake_orders, rounds=self.wanted.intake_rounds, say=self.say,
            )  # fmt: skip
        self.say(f"what was taken in was done after {come_to_rest():.0f} s")

    def _search(self) -> float:
        def held_at(rate: float) -> Held:
            self.searched.append(self._hold(rate, self.wanted.step_seconds))
            return self.searched[-1]

        return holding.highest(held_at, FIRST_RATE)

    def _hold(self, rate: float, seconds: float) -> Held:
        self.stretches += 1
        held = holding.hold(
            self.shop, self.stack.web_url, rate=rate, seconds=seconds, prefix=f"load-{self.stretches}"
        )
        self.say(str(held))
        come_to_rest()
        return held
