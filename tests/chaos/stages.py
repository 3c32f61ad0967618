"""What is under way when a process dies: orders that take every way a fulfilment can, forward and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from orders.models import FulfilmentOrder
from orders.parcelling.commands import ask_parcel
from orders.refunding.commands import ask_refund
from orders.refunding.rules import Wanted
from sagas import operate
from sagas.clock import database_now
from sagas.models import Saga
from sagas.queries import story
from sagas.sql import rows
from tests.scenarios.fulfilment import Ends, Fulfilment

CAPTURE = "payments.capture_payment"
BY_PERSON = {"actor": "ada", "reason": "chaos"}


def every_way(shop: Fulfilment) -> None:
    """Two good orders, and one refused at each step: by the bank, the shelf, the carrier and the bank again."""
    shop.shelve(MUG=10)
    shop.given("payments.authorize_payment", "POOR", refuses="insufficient_funds")
    shop.given("shipping.book_shipment", "FAR", refuses="country_not_served")
    shop.given(CAPTURE, "ODD", refuses="processing_error")
    for reference in ("GOOD", "FINE", "POOR", "FAR", "ODD"):
        shop.order(reference, MUG=1)
    shop.order("NONE", MUG=99)


def cancelled_before_capture(shop: Fulfilment) -> None:
    """Two orders with money and goods held and a label bought; one is cancelled just before the capture."""
    shop.shelve(MUG=10)
    shop.order("GONE")
    shop.order("GOOD")
    operate.pause_for_all("step", CAPTURE, now=database_now(), **BY_PERSON)
    shop.settle()
    shop.cancel("GONE")
    operate.resume_for_all("step", CAPTURE, now=database_now(), **BY_PERSON)


def cancelled_after_capture(shop: Fulfilment) -> None:
    """Two confirmed orders; one is cancelled."""
    shop.shelve(MUG=10)
    shop.order("GONE", MUG=2)
    shop.order("GOOD")
    shop.settle()
    shop.cancel("GONE")


def returned(shop: Fulfilment) -> None:
    """Two delivered orders; part of one comes back."""
    shop.shelve(MUG=10)
    shop.order("BACK", MUG=2)
    shop.order("GOOD")
    shop.settle()
    shop.hand_over()
    shop.deliver()
    shop.credit("BACK", amount_minor=500, MUG=1)


def in_parcels(shop: Fulfilment) -> None:
    """Three orders in parcels that are confirmed, and a parcel or two of each: one share and one label is refused."""
    shop.shelve(MUG=10)
    shop.given(CAPTURE, "POOR", refuses="processing_error")
    shop.given("shipping.book_shipment", "FAR", refuses="country_not_served")
    for reference in ("TWO", "POOR", "FAR"):
        shop.order_in_parcels(reference, MUG=2)
    shop.settle()
    for reference in ("TWO", "TWO", "POOR", "FAR"):
        ask_one(shop, reference)


def cancelled_in_parcels(shop: Fulfilment) -> None:
    """An order of which one parcel is paid for and the rest is free; then it is cancelled."""
    shop.shelve(MUG=10)
    shop.order_in_parcels("GONE", MUG=3)
    shop.settle()
    ask_one(shop, "GONE")
    shop.settle()
    shop.cancel("GONE")


def refunded(shop: Fulfilment) -> None:
    """Two confirmed orders; money of one goes back."""
    shop.shelve(MUG=10)
    shop.order("BACK", MUG=2)
    shop.order("GOOD")
    shop.settle()
    ask_refund(shop.row("BACK").pk, Wanted(pieces={1: 1}), actor="ada", reason="chaos", now=database_now())


def ask_one(shop: Fulfilment, reference: str) -> None:
    """One piece of an order goes in a parcel."""
    ask_parcel(shop.row(reference).pk, {1: 1}, actor="ada", reason="chaos", now=database_now())


Stage = Callable[[Fulfilment], None]


class Outcome(NamedTuple):
    """Everything about one order that a death may not change: its parcels are counted by the name they go by."""

    ends: Ends
    parcels: list[tuple[int, str, int]]
    stories: list[tuple[str, list[str]]]
    effects: dict[str, dict[str, int]]
    money: tuple[int, int, int]


MONEY = "SELECT authorized_minor, captured_minor, refunded_minor FROM payments_payment WHERE order_id = %s"


def outcomes(shop: Fulfilment) -> dict[str, Outcome]:
    """How each order ended, by reference."""
    return {reference: _outcome(shop, reference) for reference in _references()}


def _references() -> list[str]:
    return [reference for (reference,) in rows("SELECT external_reference FROM orders_order ORDER BY 1")]


def _outcome(shop: Fulfilment, reference: str) -> Outcome:
    order = shop.row(reference).pk
    parcels = FulfilmentOrder.objects.filter(order_id=order).order_by("number")
    sagas = Saga.objects.filter(search_key=reference).order_by("definition", "pk")
    names = [reference, *(f"{reference}/p{parcel.number}" for parcel in parcels)]
    money = rows(MONEY, [order])
    return Outcome(
        ends=shop.ends(reference),
        parcels=[(one.number, one.state, one.share_minor) for one in parcels],
        stories=[(saga.definition, story(saga.pk)) for saga in sagas],
        effects={name: shop.effects(name) for name in names},
        money=money[0] if money else (0, 0, 0),
    )
