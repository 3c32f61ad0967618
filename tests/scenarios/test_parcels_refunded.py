"""F26, F33: what was taken for an order in parcels can go back once each piece has left or was cancelled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orders.aggregate import InParcels
from orders.models import CreditNote
from orders.refunding import reads
from orders.refunding.commands import ask_refund
from orders.refunding.rules import Wanted
from sagas.clock import database_now, travel
from shipping.carriers import get_carrier
from shipping.carriers.base import CarrierStatus
from shipping.commands import ask_after_parcels
from shipping.models import Shipment
from tests.scenarios.fulfilment import Fulfilment
from tests.scenarios.parcels import ask, cancel, confirmed, counted, money, packed, shop
from tests.scenarios.returning import Desk, offset

__all__ = ["shop"]


def refund(shop: Fulfilment, **wanted: object) -> None:
    """Somebody refunds something of A-1."""
    ask_refund(shop.row().pk, Wanted(**wanted), actor="bob", reason="lost", now=database_now())  # type: ignore[arg-type]
    shop.settle()


def first_is(shop: Fulfilment, status: CarrierStatus) -> None:
    """The carrier says what became of the first parcel."""
    first = Shipment.objects.order_by("pk")[0]
    shop.sandbox.scan(first.carrier_id, status, database_now() + timedelta(minutes=1))
    travel(offset() + 8 * 3600)
    ask_after_parcels(get_carrier(), now=database_now())
    shop.settle()


def sent_in_two(shop: Fulfilment) -> None:
    """Two mugs, each in a parcel of its own that the carrier has."""
    confirmed(shop, MUG=2)
    packed(shop, {1: 1})
    packed(shop, {1: 1})
    shop.hand_over()


def test_a_lost_parcel_is_refunded_by_its_pieces_and_by_a_credit_note(shop: Fulfilment) -> None:
    sent_in_two(shop)
    first_is(shop, CarrierStatus.LOST)
    shop.deliver()
    assert shop.row().state == "processing"
    shown = reads.refundable(shop.row().pk)

    refund(shop, pieces={1: 1})
    shop.credit(amount_minor=51, kind="allowance")
    shop.settle()

    assert shown is not None
    assert shown.possible
    assert CreditNote.objects.get().state == "applied"
    assert counted(shop) == [(2, 0, 0, 1)]
    assert money(shop) == ("captured", 1101, 551)


def test_what_the_carrier_brought_back_does_not_keep_the_rest_from_being_refunded(shop: Fulfilment) -> None:
    sent_in_two(shop)
    first_is(shop, CarrierStatus.RETURNED)
    Desk(shop).accept({1: 1})
    shop.settle()
    shop.deliver()

    refund(shop, whole=True)

    assert counted(shop) == [(2, 0, 1, 0)]
    assert money(shop) == ("captured", 1101, 1101)


def refused(shop: Fulfilment) -> None:
    """Nothing of the order goes back now, whatever asks for it."""
    shown = reads.refundable(shop.row().pk)
    assert shown is not None
    assert not shown.possible
    with pytest.raises(InParcels):
        refund(shop, amount_minor=1)
    assert CreditNote.objects.get().state == "waiting"


def test_nothing_is_refunded_while_a_piece_may_still_be_shipped_or_cancelled(shop: Fulfilment) -> None:
    confirmed(shop, MUG=3)
    shop.credit(amount_minor=100, kind="allowance")
    packed(shop, {1: 1})
    shop.hand_over()
    refused(shop)  # two are free
    ask(shop, {1: 1})
    refused(shop)  # one is being booked
    packed(shop, {1: 1})
    refused(shop)  # two are ready, and may be taken back
    cancel(shop, 2)
    refused(shop)  # one is being taken back
    shop.settle()
    shop.hand_over()

    shop.settle()

    assert CreditNote.objects.get().state == "applied"
    assert counted(shop) == [(3, 1, 0, 0)]
    assert money(shop)[2] == 533 + 100


@pytest.mark.parametrize("early", [True, False])
def test_a_note_of_an_order_in_parcels_that_was_never_charged_gives_nothing(
    shop: Fulfilment, early: bool
) -> None:
    shop.order_in_parcels(MUG=1)
    if not early:
        shop.settle()
    shop.cancel()
    shop.settle()

    shop.credit(amount_minor=500, kind="cancellation", MUG=1)
    shop.settle()

    note = CreditNote.objects.get()
    assert (note.state, note.credit_minor) == ("nothing_to_refund", 0)
