"""F26: what comes back of an order in parcels was sent, and what never left is still to be shipped or cancelled."""

from __future__ import annotations

from orders.parcelling import reads
from orders.returns import queries
from payments.models import Refund
from shipping.carriers.base import CarrierStatus
from tests.scenarios.fulfilment import Fulfilment
from tests.scenarios.parcels import claims, confirmed, counted, money, packed, shop
from tests.scenarios.returning import Desk, carried

__all__ = ["shop"]


def free(shop: Fulfilment) -> list[int]:
    """The pieces of each line that a person is shown as free."""
    shown = reads.shippable(shop.row().pk)
    assert shown is not None
    return [line.free for line in shown.lines]


def sent_and_returned(shop: Fulfilment, pieces: dict[int, int]) -> Desk:
    """A parcel with these pieces arrived, came back, and was accepted."""
    packed(shop, pieces)
    shop.hand_over()
    shop.deliver()
    desk = Desk(shop)
    desk.ask()
    desk.receive(pieces)
    desk.accept(pieces)
    shop.settle()
    assert desk.states() == ["closed"]
    return desk


def test_a_return_of_what_was_sent_leaves_the_other_piece_to_be_shipped(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    sent_and_returned(shop, {1: 1})
    before = free(shop)

    packed(shop, {1: 1})
    shop.hand_over()
    shop.deliver()

    assert (before, free(shop)) == ([1], [0])
    assert claims(shop) == [(1, "ready", 551), (2, "ready", 550)]
    assert counted(shop) == [(2, 0, 1, 0)]
    assert (shop.row().state, money(shop)) == ("completed", ("captured", 1101, 500))
    assert shop.stock() == (9, 0, 0)


def test_a_cancel_after_a_return_cancels_what_never_left_and_opens_no_other_return(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    desk = sent_and_returned(shop, {1: 1})

    shop.cancel()
    shop.settle()

    assert claims(shop) == [(1, "ready", 551), (2, "cancelled", 550)]
    assert counted(shop) == [(2, 1, 1, 0)]
    assert desk.states() == ["closed"]
    assert (shop.row().state, money(shop)) == ("completed", ("captured", 551, 500))
    assert shop.stock() == (10, 0, 0)


def test_all_that_was_sent_came_back_and_nothing_is_free(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)

    sent_and_returned(shop, {1: 2})

    assert free(shop) == [0]
    assert queries.free_of(shop.row().pk) == {1: 0}


def test_a_parcel_that_the_carrier_brings_back_leaves_the_other_piece_to_be_shipped(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    packed(shop, {1: 1})
    shop.hand_over()
    desk = Desk(shop)
    carried(desk, CarrierStatus.RETURNED)
    desk.accept({1: 1})
    shop.settle()

    packed(shop)
    shop.hand_over()

    assert desk.lines() == [(1, 1, 1, 1, 0)]
    assert claims(shop) == [(1, "ready", 551), (2, "ready", 550)]
    assert money(shop) == ("captured", 1101, 500)
    assert shop.stock() == (9, 0, 0)


def test_a_piece_that_came_back_gives_no_more_than_was_taken_for_it(shop: Fulfilment) -> None:
    shop.order_in_parcels(discount_minor=300, MUG=2)
    shop.settle()
    sent_and_returned(shop, {1: 1})

    shop.cancel()
    shop.settle()

    assert claims(shop) == [(1, "ready", 350), (2, "cancelled", 350)]
    assert money(shop) == ("captured", 350, 350)
    assert shop.row().returned_minor == 350
    assert set(Refund.objects.values_list("credit_minor", flat=True)) == {0}
