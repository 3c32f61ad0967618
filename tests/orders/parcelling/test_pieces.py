"""F26, F52: whatever happens to an order in parcels, no piece and no money is counted twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders import commands
from orders.models import FulfilmentOrder, Order, Return
from orders.parcelling import reads
from orders.parcelling.cancelling import Because, cancel_parcel
from orders.parcelling.commands import ask_parcel
from orders.refunding.commands import ask_refund
from orders.refunding.rules import Wanted
from orders.returns import queries
from orders.returns.aggregate import Finding
from orders.returns.commands import inspect_return, receive_return
from orders.returns.opening import request_return
from orders.returns.rules import Wish
from orders.totals import ChargeInput
from payments.models import Payment
from sagas.clock import database_now
from sagas.verdicts import IllegalMove, Refused
from shipping.models import Shipment
from tests.orders.factories import a_line, an_order
from tests.orders.giving_back.house import House

pytestmark = pytest.mark.django_db

ON_SHELF = 1_000
NAMES = count(1)
STANDING = ("claimed", "ready", "cancelling", "cancelled")
WHO: dict[str, Any] = {"actor": "ada", "reason": "it happens"}

#: What people do, with which piece or parcel of the order.
ACTS = st.tuples(
    st.sampled_from(["ask", "ask", "ask", "refuse", "decline", "take back", "cancel", "hand over", "hand over",
                     "deliver", "return", "return", "refund", "clear"]),
    st.integers(1, 3),
)  # fmt: skip


class Desk:
    """One order in parcels, and what people do with it."""

    def __init__(self, house: House, lines: list[int], charges_minor: int) -> None:
        self.house, self.reference = house, f"P-{next(NAMES)}"
        kind = "shipping" if charges_minor > 0 else "discount"
        charges = [ChargeInput(kind=kind, amount_minor=charges_minor)] if charges_minor else []
        sent = an_order(
            shop_id=house.shop.pk, external_reference=self.reference, ship_in_parcels=True, charges=charges,
            lines=[a_line(sku=f"SKU-{n}", quantity=pieces) for n, pieces in enumerate(lines, 1)],
        )  # fmt: skip
        self.id: UUID = commands.place_order(sent, now=database_now()).order_id
        house.settle()

    @property
    def order(self) -> Order:
        return Order.objects.get(pk=self.id)

    @property
    def claims(self) -> list[FulfilmentOrder]:
        return list(FulfilmentOrder.objects.filter(order_id=self.id).order_by("number"))

    def act(self, what: str, number: int) -> None:
        """Do it, and let everything settle. What cannot be done now is refused, and nothing comes of it."""
        with suppress(Refused, IllegalMove):
            self._act(what, number)
        self.house.settle()

    def _act(self, what: str, number: int) -> None:
        if what in ("refuse", "decline"):
            operation, provider = (
                ("book", self.house.carrier) if what == "refuse" else ("capture", self.house.gateway)
            )
            provider.script(operation, "*", what, times=1)
        acts: dict[str, Callable[[], Any]] = {
            "take back": lambda: self._take_back(number),
            "cancel": lambda: commands.cancel_order(self.id, **WHO, now=database_now()),
            "hand over": self.house.hand_over,
            "deliver": self.house.deliver,
            "return": lambda: self._return({number: 1} if number < 3 else None),
            "refund": lambda: self._refund(number),
            "clear": lambda: commands.clear_attention(self.id, **WHO, now=database_now()),
        }
        acts.get(what, lambda: self._ask(number))()

    def _ask(self, number: int) -> None:
        ask_parcel(self.id, {} if number == 3 else {number: 1}, **WHO, now=database_now())

    def _take_back(self, number: int) -> None:
        for parcel in self.claims[-number:][:1]:
            cancel_parcel(self.id, parcel.pk, because=Because(**WHO), now=database_now())

    def _refund(self, number: int) -> None:
        wanted = Wanted(amount_minor=100) if number == 3 else Wanted(pieces={number: 1})
        ask_refund(self.id, wanted, **WHO, now=database_now())

    def _return(self, pieces: dict[int, int] | None) -> None:
        wishes = None if pieces is None else [Wish(n, position=p) for p, n in pieces.items()]
        back = request_return(self.id, wishes=wishes, **WHO, now=database_now())
        came = {line.position: line.asked for line in back.lines.values()}
        receive_return(back.id, came=came, **WHO, now=database_now())
        inspect_return(
            back.id, findings=[Finding(p, n, restock=n) for p, n in came.items()], **WHO, now=database_now()
        )

    def check(self) -> None:
        """What holds at every moment."""
        shown = reads.shippable(self.id)
        assert shown is not None
        held = dict.fromkeys((line.position for line in shown.lines), 0)
        left = dict(held)
        sent = Shipment.objects.filter(order_id=self.id, state__in=["handed_over", "delivered"])
        gone = set(sent.values_list("pk", flat=True))
        for claim in self.claims:
            for line in claim.lines if claim.state in STANDING else ():
                held[line["position"]] += line["quantity"]
                if claim.shipment_id in gone:
                    left[line["position"]] += line["quantity"]
        for line in self.order.lines.all():
            back = line.returned_quantity + line.refunded_quantity
            assert [x.free for x in shown.lines if x.position == line.position] == [
                line.quantity - held[line.position]
            ]
            assert 0 <= back <= left[line.position] <= held[line.position] <= line.quantity
        assert all(n >= 0 for n in queries.free_of(self.id).values())
        order, payment = self.order, Payment.objects.get(order_id=self.id)
        assert order.cancelled_minor + order.returned_minor + order.refunded_minor <= order.total_minor
        assert payment.refunded_minor <= payment.captured_minor
        assert payment.captured_minor == sum(c.share_minor for c in self.claims if c.ready_at)

    def end(self) -> None:
        """What is ready leaves and arrives, what is free is cancelled; nothing is left to do."""
        for _ in range(2):
            self.house.hand_over()
            self.house.deliver()
            for what in ("clear", "cancel"):
                self.act(what, 1)
        self.check()
        order, payment = self.order, Payment.objects.get(order_id=self.id)
        standing = [claim for claim in self.claims if claim.state in STANDING]
        assert order.state in ("completed", "cancelled")
        assert sum(claim.pieces for claim in standing) == sum(line.quantity for line in order.lines.all())
        assert sum(claim.share_minor for claim in standing) == order.total_minor == payment.authorized_minor
        assert payment.state == ("captured" if payment.captured_minor else "voided")
        assert Return.objects.filter(order_id=self.id).exclude(state__in=["closed", "requested"]).count() == 0


@given(
    lines=st.lists(st.integers(1, 3), min_size=2, max_size=2),
    charges_minor=st.sampled_from([0, 101, -300]),
    acts=st.lists(ACTS, min_size=4, max_size=12),
)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_piece_and_no_money_is_counted_twice_whatever_happens(
    house: House, lines: list[int], charges_minor: int, acts: list[tuple[str, int]]
) -> None:
    if not Shipment.objects.exists() and not Order.objects.exists():
        house.stock(**{"SKU-1": ON_SHELF, "SKU-2": ON_SHELF})
    before = [house.on_shelf(f"SKU-{n}") for n in (1, 2)]
    desk = Desk(house, lines, charges_minor)

    for what, number in acts:
        desk.act(what, number)
        desk.check()
    desk.end()

    for n, (on_hand, promised) in enumerate(before, 1):
        line = desk.order.lines.get(position=n)
        sent = line.quantity - line.cancelled_quantity - line.returned_quantity
        assert house.on_shelf(f"SKU-{n}") == (on_hand - sent, promised)
    assert house.owed() == 0
