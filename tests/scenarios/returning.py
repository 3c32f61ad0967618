"""The desk where goods come back: what a shop and its warehouse do with returns, in few words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection

from orders.models import Return, ReturnLine
from orders.returns import aggregate, commands, opening
from orders.returns.aggregate import Finding
from orders.returns.rules import Wish
from sagas import operate
from sagas.clock import database_now, travel
from sagas.models import Saga
from sagas.verdicts import Refused
from shipping.carriers import get_carrier
from shipping.carriers.base import CarrierStatus
from shipping.commands import ask_after_parcels
from shipping.models import Shipment
from tests.payments.test_races import at_once as together
from tests.scenarios.fulfilment import Fulfilment

DAY = 86_400


class Desk:
    """Returns of one order of a shop."""

    def __init__(self, shop: Fulfilment, reference: str = "A-1") -> None:
        self.shop, self.reference = shop, reference

    def ask(self, pieces: Mapping[int, int] | None = None, **how: Any) -> aggregate.Return:
        """Ask for pieces by line, or for everything that is left."""
        wishes = None if pieces is None else [Wish(n, position=p) for p, n in pieces.items()]
        return self._ask(wishes, **how)

    def ask_for(self, *wishes: Wish) -> aggregate.Return:
        """Ask for pieces of a SKU, or by line."""
        return self._ask(wishes)

    def _ask(self, wishes: Sequence[Wish] | None, **how: Any) -> aggregate.Return:
        return opening.request_return(
            self.shop.row(self.reference).pk, wishes=wishes, actor="shop", reason="does not fit",
            now=database_now(), **how,
        )  # fmt: skip

    def receive(self, pieces: Mapping[int, int], number: int = 1, **unexpected: int) -> aggregate.Return:
        """This came, by line."""
        return commands.receive_return(
            self.row(number).pk, came=pieces, unexpected=unexpected, actor="ware", reason="on the ramp",
            now=database_now(),
        )  # fmt: skip

    def inspect(self, *findings: Finding, number: int = 1) -> aggregate.Return:
        """Decide on what came."""
        return commands.inspect_return(
            self.row(number).pk, findings=findings, actor="ware", reason="looked at", now=database_now()
        )

    def accept(self, pieces: Mapping[int, int], number: int = 1) -> aggregate.Return:
        """Accept all of these and put them back."""
        return self.inspect(*[Finding(p, n, restock=n) for p, n in pieces.items()], number=number)

    def withdraw(self, number: int = 1) -> aggregate.Return:
        """Nothing comes."""
        return commands.withdraw_return(
            self.row(number).pk, actor="shop", reason="keeps it", now=database_now()
        )

    def row(self, number: int = 1) -> Return:
        """A return of the order."""
        return Return.objects.get(order_id=self.shop.row(self.reference).pk, number=number)

    def saga(self, number: int = 1) -> Saga:
        """The saga of a return."""
        return Saga.objects.get(pk=self.row(number).saga_id)

    def states(self) -> list[str]:
        """How the returns of the order stand, oldest first."""
        found = Return.objects.filter(order_id=self.shop.row(self.reference).pk)
        return list(found.order_by("number").values_list("state", flat=True))

    def lines(self, number: int = 1) -> list[tuple[int, int, int, int, int]]:
        """Position, asked, received, accepted and rejected of each line."""
        found = ReturnLine.objects.filter(back=self.row(number)).order_by("position")
        return list(found.values_list("position", "asked", "received", "accepted", "rejected"))

    def refunded(self) -> int:
        """What went back to the customer."""
        return self.shop.payment(self.reference).refunded_minor


def shipped(shop: Fulfilment, *goods: tuple[str, int], price_minor: int = 500) -> Desk:
    """An order of these goods whose parcel the carrier has."""
    shop.shelve(**{sku: 20 for sku, _ in goods})
    shop.order_lines("A-1", *goods, price_minor=price_minor)
    shop.settle()
    shop.hand_over()
    return Desk(shop)


@pytest.fixture
def desk(fulfilment: Fulfilment) -> Desk:
    """Three mugs and two pots at 5.00 each are with the carrier."""
    return shipped(fulfilment, ("MUG", 3), ("POT", 2))


def carried(desk: Desk, *statuses: CarrierStatus) -> None:
    """What the carrier says of the parcel from now on."""
    parcel, begin = Shipment.objects.get(), database_now() + timedelta(minutes=1)
    for hours, status in enumerate(statuses):
        desk.shop.sandbox.scan(parcel.carrier_id, status, begin + timedelta(hours=hours))
    travel(offset() + 8 * 3600)
    ask_after_parcels(get_carrier(), now=database_now())
    desk.shop.settle()


def offset() -> float:
    """How far the clock has travelled."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM waybill_now() - clock_timestamp())")
        return float(cursor.fetchone()[0])


def later(desk: Desk, days: float) -> None:
    """Let days pass, and all that was due in them happen."""
    travel(offset() + days * DAY)
    desk.shop.settle()


def by_hand(desk: Desk, kind: str, payload: dict[str, Any] | None = None) -> None:
    """A person does something to the saga of the first return."""
    operate.act(
        kind, [desk.saga().pk], actor="ada", reason="by hand", now=database_now(), payload=payload or {}
    )
    desk.shop.settle()


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Run acts at the same moment, each on a connection of its own; what they return or refuse."""
    return together(*(partial(_told, act) for act in acts))


def _told(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except Refused as refused:
        return refused
