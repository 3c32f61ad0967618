"""The course of the comparison: loads, orders alone, refusals and losses, in both styles by turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from unittest.mock import patch
from uuid import UUID

from benchmarks.shopping import Shopper, ends_of, percentiles, seconds_of
from benchmarks.stand import Counters, analyze, idle_rates, wait_for_rest, wait_until
from config.audit import audit, passed
from config.audit.listing import fetch
from config.embedded.stack import Stack
from orders.contract import CHOREOGRAPHY, ORCHESTRATION
from sagas import bell, operate
from sagas.clock import database_now
from sagas.engine.part import SILENCE
from sagas.sql import execute, rows

STYLES = (ORCHESTRATION, CHOREOGRAPHY)
REFUSED_SHARE = 0.05
REFUSALS = 30
LOSSES = 5
BY_PERSON = {"actor": "benchmark", "reason": "comparing the styles"}

NOTED = (
    "SELECT 1 FROM sagas_saga WHERE subject_id = %s AND context::text LIKE '%%payments.PaymentAuthorized%%'"
)
STATE = "SELECT state FROM orders_order WHERE id = %s"
CAUSE = "SELECT cause <> '' FROM sagas_saga WHERE subject_id = %s"
GIVEN_BACK = """
SELECT extract(epoch FROM s.finished_at - t.finished_at)::float * 1000
  FROM sagas_saga s JOIN sagas_step t ON t.saga_id = s.id
 WHERE s.subject_id = %s AND t.direction = 'do' AND t.state = 'refused'
"""
STEP = "SELECT count(*) FROM sagas_step t JOIN sagas_saga s ON s.id = t.saga_id WHERE s.subject_id = %s AND t.name = %s AND t.state = 'done'"  # noqa: E501
MOVE_PAST = """
UPDATE sagas_checkpoint c SET era = e.era, xid = e.xid, position = e.position, state = 'running'
  FROM (SELECT era, xid, position FROM sagas_event ORDER BY era DESC, xid DESC, position DESC LIMIT 1) e
 WHERE c.subscription = %s
"""
STAND_STILL = "UPDATE sagas_checkpoint SET state = 'stopped' WHERE subscription = %s"


@dataclass
class Course:
    """All measurements of one run."""

    stack: Stack
    shop: Shopper
    orders: int
    repeats: int
    alone: int
    say: Callable[[str], None]
    found: dict[str, dict[str, Any]] = field(default_factory=lambda: {s: {} for s in STYLES})
    idle: list[float] = field(default_factory=list)

    @classmethod
    def open(
        cls, stack: Stack, orders: int, repeats: int, alone: int, *, say: Callable[[str], None]
    ) -> Course:
        """A shop on a running system."""
        return cls(stack, Shopper.open(stack.env["WAYBILL_SANDBOX_URL"]), orders, repeats, alone, say)

    def run(self) -> dict[str, dict[str, Any]]:
        """Measure everything."""
        self._warm_up()
        self._loads("all confirmed", 0.0, self.orders)
        self._loads(f"{REFUSED_SHARE:.0%} refused at each of 4 steps", REFUSED_SHARE, self.orders // 2)
        for measure in (self._alone, self._refusals, self._lost_doorbells, self._lost_event):
            for style in STYLES:
                measure(style)
                wait_for_rest()
        return self.found

    def audit(self) -> bool:
        """Whether the books balance, ours and the provider's."""
        findings = audit(fetch(self.shop.url))
        for finding in findings:
            if finding.breaches or finding.skipped:
                self.say(f"{finding.invariant} {finding.promise}: {finding.skipped or finding.examples}")
        return passed(findings)

    def _warm_up(self) -> None:
        for style in STYLES:
            self.shop.place(style, f"warm-{style}", 200)
        wait_for_rest()
        analyze()
        self.idle = idle_rates(3.0)

    # --- many at once --------------------------------------------------------------------------------

    def _loads(self, name: str, share: float, orders: int) -> None:
        """Load after load, the styles in turns: each has the same size of tables before it, on average."""
        rates: dict[str, list[float]] = {s: [] for s in STYLES}
        costs: dict[str, list[dict[str, float]]] = {s: [] for s in STYLES}
        for turn in range(self.repeats):
            for style in STYLES if turn % 2 == 0 else STYLES[::-1]:
                rate, cost = self._load(style, f"{style}-{share}-{turn}", share, orders)
                rates[style].append(rate)
                costs[style].append(cost)
        for style in STYLES:
            self.found[style][f"orders/s, {name} (each load)"] = rates[style]
            self.found[style][f"orders/s, {name} (median)"] = median(rates[style])
            for key in costs[style][0]:
                self.found[style][f"{key} per order, {name}"] = median(c[key] for c in costs[style])

    def _load(self, style: str, prefix: str, share: float, orders: int) -> tuple[float, dict[str, float]]:
        before = Counters.read()
        self.shop.place(style, prefix, orders, refused_share=share)
        wait_for_rest()
        cost = Counters.read().per_order(before, self.idle, orders)
        self.shop.forget_refusals()
        rate = orders / seconds_of(prefix)
        self.say(f"{style}: {rate:.0f} orders/s, {ends_of(prefix)}")
        return rate, cost

    # --- one at a time -------------------------------------------------------------------------------

    def _alone(self, style: str) -> None:
        """From placing to confirmed, seen from outside; each waits until the one before is long done."""
        before, took = Counters.read(), []
        for n in range(self.alone):
            began = time.monotonic()
            order = self.shop.place_one(style, f"alone-{style}-{n}", n)
            took.append((_until_state(order, "confirmed") - began) * 1000)
            time.sleep(0.1)
        wait_for_rest()
        cost = Counters.read().per_order(before, self.idle, self.alone)
        self.found[style]["ms placed to confirmed, alone, p50 / p95 / p99"] = percentiles(took, 50, 95, 99)
        for key, value in cost.items():
            self.found[style][f"{key} per order, alone"] = value
        self.say(f"{style}: alone {percentiles(took, 50, 95, 99)} ms")

    def _refusals(self, style: str) -> None:
        """The carrier says no: until staff can see it, and until everything is given back."""
        seen, back = [], []
        for n in range(REFUSALS):
            reference = f"refused-{style}-{n}"
            self.shop.refuse("book", reference, "refuse", "country_not_served")
            order = self.shop.place_one(style, reference, n)
            answered = wait_until(lambda asked=reference: self.shop.asked_to_book(asked))  # type: ignore[misc]
            seen.append((wait_until(lambda it=order: bool(rows(CAUSE, [it])[0][0])) - answered) * 1000)  # type: ignore[misc]
            _until_state(order, "rejected")
            wait_for_rest(everybody=False)
            back.append(float(rows(GIVEN_BACK, [order])[0][0]))
        self.found[style]["ms from the carrier's no to its line on the saga, p50 / p95"] = percentiles(
            seen, 50, 95
        )
        self.found[style]["ms from the recorded no to everything given back, p50 / p95"] = percentiles(
            back, 50, 95
        )
        self.say(f"{style}: seen {percentiles(seen, 50, 95)}, given back {percentiles(back, 50, 95)} ms")

    # --- what gets lost ------------------------------------------------------------------------------

    def _lost_doorbells(self, style: str) -> None:
        """No message is sent for a placed order: a loop finds the row (the sweep), or the event (the relay)."""
        took = []
        for n in range(LOSSES):
            began = time.monotonic()
            with _no_doorbell():
                order = self.shop.place_one(style, f"unrung-{style}-{n}", n)
            took.append(_until_state(order, "confirmed") - began)
            time.sleep(0.3)
        self.found[style][f"s placed to confirmed with its doorbell lost (longest of {LOSSES})"] = max(took)

    def _lost_event(self, style: str) -> None:
        """A reader passes over an event. The engine needs none; a choreographed order falls silent."""
        name = "s from silence falling due to a parked saga (due after minutes)"
        if style == ORCHESTRATION:
            self.found[style][name] = "no step waits for an event"
            return
        order = self._silent_order()
        minutes = SILENCE.total_seconds() / 60
        # The wait itself is by design: the deadline is moved here, and what follows is measured.
        execute("UPDATE sagas_saga SET deadline_at = waybill_now() WHERE subject_id = %s", [order])
        began = time.monotonic()
        at = wait_until(
            lambda: bool(rows("SELECT 1 FROM sagas_saga WHERE subject_id = %s AND hold = 'parked'", [order]))
        )
        self.found[style][name] = f"{at - began:.2f} ({minutes:.0f})"
        (saga,) = rows("SELECT id FROM sagas_saga WHERE subject_id = %s", [order])[0]
        operate.redrive([saga], "inventory.fulfilment", now=database_now(), **BY_PERSON)
        _until_state(order, "confirmed")

    def _silent_order(self) -> UUID:
        """An order whose money is held and of which inventory was never told."""
        execute(STAND_STILL, ["inventory.fulfilment"])
        order = self.shop.place_one(CHOREOGRAPHY, "silent", 1)
        wait_until(lambda: bool(rows(STEP, [order, "payments.authorize_payment"])[0][0]))
        wait_until(lambda: bool(rows(NOTED, [order])), look_seconds=0.2, what="the follower to note it")
        execute(MOVE_PAST, ["inventory.fulfilment"])
        return order


def _until_state(order: UUID, state: str) -> float:
    return wait_until(lambda: rows(STATE, [order])[0][0] == state, what=f"{order} {state}")


@contextmanager
def _no_doorbell() -> Iterator[None]:
    """As if the broker had been down for this commit."""
    with patch.object(bell, "current_app", _Deaf()):
        try:
            yield
        finally:
            for name in ("orders.place_order", "payments.fulfilment"):
                bell.let_go(name)


class _Deaf:
    """A Celery application whose messages go nowhere."""

    def send_task(self, *_: object, **__: object) -> None:
        """Send nothing."""
