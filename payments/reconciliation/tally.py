"""What a run has counted so far, and the money on both sides by currency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from payments.gateways.base import Intent, RefundStatus
from payments.gateways.base import Refund as TheirRefund
from payments.models import Refund
from payments.reconciliation.compare import Finding, Judged, OurPayment, OurRefund
from payments.reconciliation.rows import ReconciliationRun

COUNTS = ("compared", "matched", "in_flight", "idle", "differences")
MONEY = ("held", "captured", "refunded")


@dataclass
class Tally:
    """The figures of one page, added to the run in the commit of the page."""

    counts: Counter[str] = field(default_factory=Counter)
    money: Counter[tuple[str, str, int]] = field(default_factory=Counter)  #: Currency, what, side: 0 is ours.
    findings: list[Finding] = field(default_factory=list)

    def add(self, judged: Judged) -> None:
        """Count one object."""
        self.counts["compared"] += 1
        self.counts["in_flight"] += judged.in_flight
        self.counts["idle"] += judged.idle
        self.counts["differences"] += len(judged.findings)
        self.counts["matched"] += not (judged.in_flight or judged.idle or judged.findings)
        self.findings.extend(judged.findings)

    def weigh_payment(self, ours: OurPayment | None, theirs: Intent | None) -> None:
        """Add the money of a payment on each side that has it."""
        if ours is not None:
            self._put(ours.currency, 0, held=ours.held_minor, captured=ours.kept_minor)
        if theirs is not None:
            self._put(theirs.currency, 1, held=theirs.capturable_minor, captured=theirs.captured_minor)

    def weigh_refund(self, ours: OurRefund | None, theirs: TheirRefund | None) -> None:
        """Add what has gone back, on each side that says so."""
        if ours is not None and ours.state == Refund.State.SUCCEEDED:
            self._put(ours.currency, 0, refunded=ours.amount_minor)
        if theirs is not None and theirs.status == RefundStatus.SUCCEEDED:
            self._put(theirs.currency, 1, refunded=theirs.amount_minor)

    def pour_into(self, run: ReconciliationRun) -> None:
        """Add everything to the run's row in memory."""
        for name in COUNTS:
            setattr(run, name, getattr(run, name) + self.counts[name])
        for (currency, what, side), amount in self.money.items():
            pairs = run.totals.setdefault(currency, {name: [0, 0] for name in MONEY})
            pairs[what][side] += amount

    def _put(self, currency: str, side: int, **amounts: int) -> None:
        for what, amount in amounts.items():
            self.money[currency, what, side] += amount


def total_lines(run: ReconciliationRun) -> Iterable[tuple[str, str, int, int]]:
    """Currency, what, ours, theirs: only what is not zero on both sides."""
    for currency, pairs in sorted(run.totals.items()):
        for what in MONEY:
            ours, theirs = pairs[what]
            if ours or theirs:
                yield currency, what, ours, theirs
