"""Providers that are slow, wrong, down and late, and what customers and shops do meanwhile: all of it by one seed.

Which order meets which trouble is a function of the seed and its reference alone; when things happen is up to the
machine. So two runs of one seed hit the same orders.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from config.sandbox.profiles import draw
from orders import commands as orders
from orders.contract import CHOREOGRAPHY, ORCHESTRATION
from orders.models import Order
from orders.totals import LineInput
from payments.models import CustomerAction
from sagas.clock import database_now
from sagas.sql import rows
from tests.orders.factories import an_order
from tests.sandbox_process import SandboxProcess

GATEWAY = ("create", "authorize", "capture", "void", "refund", "retrieve")
CARRIER = ("book", "cancel_shipment", "find")
SKUS = 50
IN_A_BATCH = 50
A_SECOND = 60


def _rule(operation: str, action: str, percent: float, **params: Any) -> dict[str, Any]:
    return {"operation": operation, "action": action, "share": percent / 100, "params": params}


def _troubles(operation: str, percent: float) -> list[dict[str, Any]]:
    """What may happen to any call: lost before or after it was done, failed after it, slow, or turned away."""
    return [
        _rule(operation, "do_then_drop", percent),
        _rule(operation, "drop", percent),
        _rule(operation, "do_then_5xx", percent / 2, status=500),
        _rule(operation, "do_then_5xx", percent / 4, status=502),
        _rule(operation, "do_then_5xx", percent / 4, status=504),
        _rule(operation, "delay", percent / 2, seconds=3, done_first=True),
        _rule(operation, "delay", percent / 2, seconds=3, done_first=False),
        _rule(operation, "rate_limit", percent / 2, retry_after=1),
        _rule(operation, "unavailable", percent / 2, retry_after=1),
    ]


#: What a bad day looks like. Shares are of all references.
BAD_DAY = [
    *_troubles("create", 1.5),
    *_troubles("authorize", 2.5),
    _rule("authorize", "decline", 2, code="insufficient_funds"),
    _rule("authorize", "decline", 1, code="lost_card"),
    _rule("authorize", "require_action", 4),
    *_troubles("capture", 2.5),
    _rule("capture", "decline", 1, code="processing_error"),
    *_troubles("void", 4),
    *_troubles("refund", 4),
    _rule("refund", "decline", 2, code="expired_or_canceled_card"),
    *_troubles("book", 2.5),
    _rule("book", "refuse", 2, code="country_not_served"),
    _rule("book", "refuse", 1, code="address_invalid"),
    *_troubles("cancel_shipment", 4),
    _rule("retrieve", "drop", 3),
    _rule("find", "drop", 3),
    _rule("webhooks", "never", 10),
    _rule("webhooks", "early", 10),
    _rule("webhooks", "late", 15, seconds=3),
    _rule("webhooks", "shuffle", 15, seconds=3),
    _rule("webhooks", "duplicate", 10, copies=3),
    _rule("webhooks", "twin", 10),
    _rule("webhooks", "forge", 3),
    _rule("webhooks", "lie", 3, amount=1),
]


def write_profile(folder: Path) -> Path:
    """The bad day as the sandbox reads it."""
    file = folder / "bad_day.json"
    file.write_text(json.dumps(BAD_DAY))
    return file


@dataclass
class BadDay:
    """One run: orders come in, providers go down and come back, customers and shops act."""

    seed: int
    count: int
    shop_id: Any
    sandbox: SandboxProcess
    told: Callable[[str], None]
    placed: int = 0
    acted: Counter[str] = field(default_factory=Counter)
    _answered: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Everything up to the last order's placing; both providers are up again then."""
        plan = self._plan()
        begin = time.monotonic()
        while self.placed < self.count:
            time.sleep(max(0.0, begin + self.placed / A_SECOND - time.monotonic()))
            self._place(min(IN_A_BATCH, self.count - self.placed))
            self._act()
            while plan and self.placed >= plan[0][0]:
                _, what, operations, on = plan.pop(0)
                self.told(f"{self.placed:,} orders placed: {what}")
                self._switch(operations, on=on)
        for operations in (GATEWAY, CARRIER):
            self._switch(operations, on=True)

    def _plan(self) -> list[tuple[int, str, Sequence[str], bool]]:
        """When which provider is down: the gateway twice, the carrier once, each for a tenth of the orders."""
        begins = sorted(0.05 + 0.8 * draw(self.seed, "outage", str(n)) for n in range(3))
        who = [("gateway", GATEWAY), ("carrier", CARRIER), ("gateway", GATEWAY)]
        plan: list[tuple[int, str, Sequence[str], bool]] = []
        for begin, (name, operations) in zip(begins, who, strict=True):
            plan.append((int(begin * self.count), f"the {name} goes down", operations, False))
            plan.append((int((begin + 0.1) * self.count), f"the {name} is back", operations, True))
        return sorted(plan, key=lambda entry: entry[0])

    def _switch(self, operations: Sequence[str], *, on: bool) -> None:
        for operation in operations:
            if on:
                query = urlencode({"operation": operation, "reference": "*"})
                self.sandbox.control("DELETE", f"/sandbox/scripts?{query}")
            else:
                self.sandbox.script(operation, "*", "unavailable", times=10**6)

    def _place(self, count: int) -> None:
        now = database_now()
        orders.place_orders([self._order(self.placed + n) for n in range(count)], now=now)
        self.placed += count

    def _order(self, number: int) -> Any:
        reference = f"D-{number}"
        style = CHOREOGRAPHY if draw(self.seed, "style", reference) < 0.4 else ORCHESTRATION
        sku = f"SKU-{int(SKUS * draw(self.seed, 'sku', reference) ** 2)}"
        line = LineInput(sku=sku, name=sku, quantity=1 + number % 3, unit_price_minor=500)
        return an_order(
            shop_id=self.shop_id, external_reference=reference, lines=[line], charges=[], fulfilment=style
        )

    def _act(self) -> None:
        """Some shops change their minds; most customers answer their bank."""
        self._cancel_some()
        self.answer_banks()

    def _cancel_some(self) -> None:
        newest = [f"D-{n}" for n in range(max(0, self.placed - 4 * IN_A_BATCH), self.placed)]
        wanted = [r for r in newest if draw(self.seed, "cancel", r) < 0.04 and r not in self._answered]
        for order in Order.objects.filter(shop_id=self.shop_id, external_reference__in=wanted[::2]):
            self._answered.add(order.external_reference)
            orders.cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())
            self.acted["cancelled"] += 1

    def answer_banks(self) -> None:
        """Two of three customers prove who they are, one in six fails to, one says nothing."""
        waiting = CustomerAction.objects.filter(payment__state="requires_action")
        for url, reference in waiting.values_list("url", "payment__reference"):
            answer = draw(self.seed, "customer", reference)
            if answer < 5 / 6 and url not in self._answered:
                self._answered.add(url)
                self._answer(url, "yes" if answer < 2 / 3 else "no")

    def _answer(self, url: str, outcome: str) -> None:
        with urlopen(Request(url, urlencode({"outcome": outcome}).encode()), timeout=10):
            self.acted[outcome] += 1


EXPLAINED = """
SELECT o.external_reference, o.state, coalesce(s.state, ''), coalesce(s.hold, ''), coalesce(s.cause, ''),
       coalesce(s.cause_code, ''),
       CASE WHEN o.needs_attention THEN coalesce(nullif(o.attention_reason, ''), s.hold_reason, '') ELSE '' END
  FROM orders_order o LEFT JOIN sagas_saga s ON s.subject_id = o.id AND s.definition = 'orders.fulfil_order'
 ORDER BY o.id
"""


class Ended(NamedTuple):
    """Where one order and its saga stand. `called_for` is why a person is called, if one is."""

    reference: str
    state: str
    saga: str
    hold: str
    cause: str
    code: str
    called_for: str

    @property
    def why(self) -> str:
        """Its end in words; empty when it has no good one."""
        if self.called_for:
            return f"{self.state}, a person is called: {self.called_for.partition(':')[0]}"
        if (self.state, self.saga, self.hold) == ("confirmed", "completed", "none"):
            return "confirmed"
        if (self.state, self.saga) == ("rejected", "compensated") and self.cause in ("refused", "deadline"):
            return f"rejected: {self.code}" if self.code else ""
        if self.state == "cancelled" and self.saga in ("compensated", "completed"):
            return "cancelled by the shop"
        return ""


def explanations() -> tuple[Counter[str], list[Ended]]:
    """How orders ended and why, counted; and those that nobody can explain."""
    ended = [Ended(*row) for row in rows(EXPLAINED)]
    return Counter(one.why or "UNEXPLAINED" for one in ended), [one for one in ended if not one.why]


def watch(
    until: Callable[[], bool], *, within: float, each: Callable[[], None], told: Callable[[str], None]
) -> bool:
    """Look every half second whether it is over, doing something each time. Whether it came to be."""
    stop, said = time.monotonic() + within, 0.0
    while not until():
        if time.monotonic() > stop:
            return False
        each()
        if time.monotonic() - said > 10:
            said = time.monotonic()
            found = Counter(dict(rows("SELECT state, count(*) FROM orders_order GROUP BY 1")))
            told(", ".join(f"{count:,} {state}" for state, count in sorted(found.items())))
        time.sleep(0.5)
    return True


def teller() -> Callable[[str], None]:
    """Says what happens, with the time since it was made."""
    begin, lock = time.monotonic(), threading.Lock()

    def tell(words: str) -> None:
        with lock:
            print(f"{time.monotonic() - begin:6.1f} s  {words}", flush=True)  # noqa: T201

    return tell
