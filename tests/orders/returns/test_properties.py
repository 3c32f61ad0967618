"""Whatever is asked, received, decided and credited in whatever order: no piece comes back twice, no cent too much."""

from __future__ import annotations

from itertools import count
from random import Random
from uuid import UUID

import pytest
from django.db.models import Sum

from config.audit import audit
from orders import commands as orders
from orders.models import Order, OrderLine, Return, ReturnLine
from orders.returns import commands, opening, queries
from orders.returns.aggregate import Finding
from orders.returns.rules import Wish
from sagas.clock import database_now
from sagas.models import Saga
from sagas.verdicts import Refused
from tests.orders.giving_back.house import House

QUANTITIES = {1: 2, 2: 1}
#: Much comes in and is inspected between two turns of the workers, or returns would not meet.
ACTS = (
    "ask",
    "ask",
    "ask_all",
    *["receive"] * 3,
    *["inspect"] * 3,
    "withdraw",
    "note",
    "cancel",
    "settle",
)
#: References are unique in a shop, and one house serves all examples.
numbers = count(1)


class Desk:
    """One order of pens and ink in the hands of the carrier, and everybody who does something about it."""

    def __init__(self, house: House, rng: Random) -> None:
        self.house, self.rng = house, rng
        self.order: Order = house.fulfilled(f"P-{next(numbers)}", PEN=QUANTITIES[1], INK=QUANTITIES[2])
        house.hand_over()

    def act(self, what: str) -> None:
        """One act, with whatever numbers come to mind. What is refused changes nothing."""
        if (
            what in ("receive", "inspect", "withdraw")
            and not Return.objects.filter(order=self.order).exists()
        ):
            what = "ask"
        before = self.told()
        try:
            getattr(self, what)()
        except Refused:
            assert self.told() == before

    def ask(self) -> None:
        self._ask([Wish(self._number(1, 2), position=self._position())])

    def ask_all(self) -> None:
        self._ask(None)

    def receive(self) -> None:
        came = {position: self._number(0, 2) for position in QUANTITIES}
        commands.receive_return(
            self._any(mostly="requested"), came=came, actor="ware", reason="came", now=database_now()
        )

    def inspect(self) -> None:
        return_id = self._any(mostly="received")
        back = queries.get_return(return_id)
        assert back is not None
        findings = [self._finding(p, line.received) for p, line in back.lines.items()]
        commands.inspect_return(return_id, findings=findings, actor="ware", reason="seen", now=database_now())

    def withdraw(self) -> None:
        commands.withdraw_return(
            self._any(mostly="requested"), actor="shop", reason="kept", now=database_now()
        )

    def note(self) -> None:
        self.house.note(
            self.order,
            "return",
            self._number(0, 3000),
            reference=f"N-{next(numbers)}",
            PEN=self._number(0, 3),
        )

    def cancel(self) -> None:
        orders.cancel_order(self.order.pk, actor="shop", reason="changed my mind", now=database_now())

    def settle(self) -> None:
        self.house.settle()

    def told(self) -> list[tuple[object, ...]]:
        """Everything that an act on returns may change."""
        lines = ReturnLine.objects.filter(back__order=self.order).order_by("back_id", "position")
        returns = Return.objects.filter(order=self.order).order_by("number")
        return [*returns.values_list("state", "version"), *lines.values_list()]

    def check(self) -> None:
        """At any moment: never more pieces than were ordered, never more money than was paid."""
        self.order.refresh_from_db()
        for line in OrderLine.objects.filter(order=self.order):
            closed = self._accepted(line.position, "closed")
            assert closed <= line.returned_quantity <= line.quantity
            assert line.returned_quantity + line.cancelled_quantity <= line.quantity
        assert self.house.refunded(self.order) <= self.order.total_minor
        assert self.order.returned_minor <= self.order.total_minor

    def _accepted(self, position: int, state: str) -> int:
        lines = ReturnLine.objects.filter(back__order=self.order, back__state=state, position=position)
        return int(lines.aggregate(pieces=Sum("accepted"))["pieces"] or 0)

    def _ask(self, wishes: list[Wish] | None) -> None:
        opening.request_return(
            self.order.pk, wishes=wishes, actor="shop", reason="too big", now=database_now()
        )

    def _finding(self, position: int, received: int) -> Finding:
        accepted = self._number(0, received)
        return Finding(position, accepted, received - accepted, "worn", self._number(0, accepted))

    def _any(self, *, mostly: str) -> UUID:
        """A return of the order, whichever; mostly one that stands where the act begins."""
        returns = Return.objects.filter(order=self.order).order_by("number")
        fit = returns.filter(state=mostly)
        ids = (fit if fit and self._number(0, 4) else returns).values_list("pk", flat=True)
        return self.rng.choice(list(ids))

    def _position(self) -> int:
        return self.rng.choice(list(QUANTITIES))

    def _number(self, least: int, most: int) -> int:
        return self.rng.randint(least, most)


@pytest.mark.parametrize("seed", range(20))
def test_f55_no_piece_comes_back_twice_and_never_too_much_is_paid(house: House, seed: int) -> None:
    rng = Random(seed)
    desk = Desk(house, rng)

    for _ in range(25):
        desk.act(rng.choice(ACTS))
        desk.check()
    house.settle()
    desk.check()

    assert house.refunded(desk.order) == desk.order.returned_minor
    assert not Saga.objects.filter(subject_id=desk.order.pk, hold="parked").exists()
    assert {f.name: f.examples for f in audit(None) if f.breaches} == {}
