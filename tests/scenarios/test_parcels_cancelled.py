"""F26, F52: what nobody ships of an order in parcels is not charged, and what was shipped stays paid."""

from __future__ import annotations

import pytest

from orders.aggregate import AlreadyHandedOver
from orders.giving_back.commands import apply_credit_notes
from orders.models import CreditNote, FulfilmentOrder
from orders.parcelling.cancelling import NoSuchParcel, ParcelEnded, ParcelUnderWay
from orders.parcelling.commands import ask_parcel
from orders.parcelling.rules import NothingFree
from orders.returns import queries
from orders.returns.opening import ParcelBack, take_parcels_back
from orders.returns.refusals import NotHandedOver, SpokenFor
from sagas import operate
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.models import Saga
from shipping.carriers import get_carrier
from shipping.carriers.base import MoveParcels
from shipping.models import Shipment
from tests.scenarios.fulfilment import Ends, Fulfilment
from tests.scenarios.parcels import cancel, claims, confirmed, money, packed, shop
from tests.scenarios.returning import Desk

__all__ = ["shop"]

CANCEL = "orders.cancel_parcel"


def test_f52_a_line_that_never_comes_is_not_charged_and_the_order_ends_with_the_other(
    shop: Fulfilment,
) -> None:
    confirmed(shop, MUG=1, TEA=1)
    packed(shop, {1: 1})
    shop.hand_over()
    shop.deliver()
    before = shop.row().state

    shop.cancel()
    shop.settle()

    order = shop.row()
    lines = order.lines.order_by("position").values_list("quantity", "cancelled_quantity")
    assert (before, order.state) == ("processing", "completed")
    assert list(lines) == [(1, 0), (1, 1)]
    assert claims(shop) == [(1, "ready", 551), (2, "cancelled", 550)]
    assert money(shop) == ("captured", 551, 0)
    assert order.cancelled_minor == 550
    assert shop.effects() == {"holds": 1, "captures": 1, "voids": 1}
    assert shop.stock("TEA") == (10, 0, 0)


def test_f52_the_same_when_it_is_cancelled_before_the_other_arrives(shop: Fulfilment) -> None:
    confirmed(shop, MUG=1, TEA=1)
    packed(shop, {1: 1})
    shop.hand_over()
    shop.cancel()
    shop.settle()
    between = shop.row().state

    shop.deliver()

    assert (between, shop.row().state) == ("processing", "completed")
    assert money(shop) == ("captured", 551, 0)


def test_f26_of_three_parcels_one_is_cancelled_and_its_share_goes_back(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2, TEA=1)
    for pieces in ({1: 1}, {1: 1}, {2: 1}):
        packed(shop, pieces)

    cancel(shop, 2)
    shop.settle()
    shop.hand_over()
    shop.deliver()

    assert claims(shop) == [(1, "ready", 534), (2, "cancelled", 533), (3, "ready", 534)]
    assert shop.row().state == "completed"
    assert money(shop) == ("captured", 1601, 533)
    assert shop.effects() == {"holds": 1, "captures": 3, "refunds": 1}
    assert shop.effects("A-1/p2") == {"labels": 1, "cancellations": 1}
    assert shop.stock() == (9, 0, 0)


def test_f26_a_parcel_that_is_cancelled_while_others_still_want_money_keeps_the_hold(
    shop: Fulfilment,
) -> None:
    confirmed(shop, MUG=3)
    packed(shop, {1: 1})

    cancel(shop, 1)
    shop.settle()
    between = money(shop)
    packed(shop, {1: 2})

    assert between == ("partly_captured", 534, 534)
    assert claims(shop) == [(1, "cancelled", 534), (2, "ready", 1067)]
    assert money(shop) == ("captured", 1601, 534)


def test_an_order_in_parcels_of_which_nothing_was_packed_is_cancelled_as_a_whole(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)

    shop.cancel()
    shop.settle()

    assert shop.ends() == Ends("cancelled", "voided", "released", None)
    assert claims(shop) == [(1, "cancelled", 1101)]
    assert shop.effects() == {"holds": 1, "voids": 1}
    assert shop.stock() == (10, 0, 0)
    assert Saga.objects.get(definition=CANCEL).state == "completed"
    assert shop.row().cancel_reason == "changed my mind"


def test_an_order_in_parcels_that_has_not_left_is_cancelled_parcel_by_parcel(shop: Fulfilment) -> None:
    confirmed(shop, MUG=3)
    packed(shop, {1: 1})

    shop.cancel()
    shop.cancel()
    shop.settle()

    assert shop.row().state == "cancelled"
    assert claims(shop) == [(1, "cancelled", 534), (2, "cancelled", 1067)]
    assert money(shop) == ("captured", 534, 534)
    assert shop.stock() == (10, 0, 0)
    assert shop.effects("A-1/p1") == {"labels": 1, "cancellations": 1}


def test_f49_a_cancel_that_comes_just_after_the_confirmation_cancels_what_is_left(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=2)
    shop.settle_now()
    assert shop.row().state == "confirmed"

    shop.cancel()
    shop.settle()

    assert shop.row().state == "cancelled"
    assert money(shop) == ("voided", 0, 0)


def test_f50_a_parcel_that_the_carrier_took_first_goes_on_and_stays_paid(shop: Fulfilment) -> None:
    confirmed(shop, MUG=1)
    packed(shop, {1: 1})
    cancel(shop, 1)
    label = Shipment.objects.get().carrier_id
    get_carrier().pick_up(MoveParcels(key=uuid7(), shipment_ids=[label], limit=1))

    shop.settle()

    assert claims(shop) == [(1, "ready", 601)]
    assert shop.row().state == "processing"
    assert money(shop) == ("captured", 601, 0)


def test_a_parcel_that_has_left_is_not_cancelled(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    packed(shop, {1: 1})
    shop.hand_over()

    with pytest.raises(AlreadyHandedOver):
        cancel(shop, 1)
    with pytest.raises(NoSuchParcel):
        cancel(shop, 7)


def test_a_parcel_that_is_just_being_booked_is_not_cancelled(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    ask_parcel(shop.row().pk, {1: 1}, actor="ada", reason="it is here", now=database_now())

    with pytest.raises(ParcelUnderWay):
        cancel(shop, 1)
    with pytest.raises(ParcelUnderWay):
        shop.cancel()

    shop.settle()
    assert claims(shop) == [(1, "ready", 551)]


def test_pieces_that_are_being_cancelled_are_in_no_parcel(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    shop.cancel()

    with pytest.raises(NothingFree):
        packed(shop, {1: 1})
    shop.settle()

    with pytest.raises(ParcelEnded):
        cancel(shop, 1)


@pytest.mark.parametrize("trouble", ["do_then_drop", "drop", "do_then_5xx"])
@pytest.mark.parametrize("operation", ["release", "refund", "void"])
def test_f32_whatever_is_lost_when_a_parcel_is_cancelled_happens_once(
    shop: Fulfilment, operation: str, trouble: str
) -> None:
    confirmed(shop, MUG=2)
    if operation != "void":
        packed(shop, {1: 1})
    shop.sandbox.script(operation, "*", trouble, times=1)

    shop.cancel()
    shop.settle()

    taken = 0 if operation == "void" else 551
    assert shop.row().state == "cancelled"
    assert money(shop) == ("captured" if taken else "voided", taken, taken)
    assert shop.effects()["voids"] == 1


def test_f24_what_could_not_be_paid_is_cancelled_by_a_person_and_the_rest_is_kept(shop: Fulfilment) -> None:
    shop.given("payments.authorize_payment", "A-1", meets="single_capture")
    confirmed(shop, MUG=2)
    packed(shop, {1: 1})
    packed(shop, {1: 1})
    assert shop.row().on_hold

    shop.cancel()
    shop.settle()

    assert claims(shop) == [(1, "cancelled", 551), (2, "given_up", 550), (3, "cancelled", 550)]
    assert shop.row().state == "cancelled"
    assert money(shop) == ("captured", 551, 551)


def test_f26_one_capture_only_the_first_parcel_is_paid_the_rest_is_cancelled(shop: Fulfilment) -> None:
    shop.given("payments.authorize_payment", "A-1", meets="single_capture")
    confirmed(shop, MUG=2, TEA=1)
    packed(shop, {1: 1})
    shop.hand_over()
    packed(shop, {1: 1})

    shop.cancel()
    shop.settle()
    shop.deliver()

    assert shop.row().state == "completed"
    assert money(shop) == ("captured", 534, 0)
    assert shop.row().cancelled_minor == 1067
    assert shop.effects() == {"holds": 1, "captures": 1}


def test_a_credit_note_that_is_called_like_a_cancelled_parcel_is_another_refund(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2, TEA=2)
    packed(shop, {1: 2})
    packed(shop, {2: 2})
    version = FulfilmentOrder.objects.get(number=1).version
    cancel(shop, 1)
    shop.settle()
    shop.hand_over()
    shop.deliver()
    assert shop.row().state == "completed"
    before = shop.effects()["refunds"]

    shop.credit(amount_minor=200, kind="allowance", called=f"p1-cancel-{version}")
    apply_credit_notes(now=database_now())
    shop.settle()

    assert CreditNote.objects.get().state == "applied"
    assert shop.effects()["refunds"] == before + 1


def test_only_pieces_that_the_carrier_had_can_come_back(shop: Fulfilment) -> None:
    confirmed(shop, MUG=3, TEA=1)
    packed(shop, {1: 1})
    shop.hand_over()
    packed(shop, {1: 1, 2: 1})
    desk = Desk(shop)

    assert shop.row().state == "processing"
    assert queries.free_of(shop.row().pk) == {1: 1, 2: 0}
    for pieces in ({1: 2}, {2: 1}):
        with pytest.raises(NotHandedOver):
            desk.ask(pieces)
    with pytest.raises(SpokenFor):
        desk.ask({1: 4})
    desk.ask()
    assert desk.lines() == [(1, 1, 0, 0, 0)]
    with pytest.raises(NotHandedOver):
        desk.ask()

    shop.hand_over()
    desk.ask()
    assert desk.lines(2) == [(1, 1, 0, 0, 0), (2, 1, 0, 0, 0)]
    desk.receive({1: 2})
    with pytest.raises(SpokenFor):  # one of them is in the other return
        desk.accept({1: 2})


def test_a_parcel_that_comes_back_before_anybody_heard_that_it_left_is_a_return(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    packed(shop, {1: 1})
    packed(shop, {1: 1})
    first = Shipment.objects.order_by("pk")[0]

    take_parcels_back([ParcelBack(first.pk, shop.row().pk, {"MUG": 1})], now=database_now())

    assert Desk(shop).lines() == [(1, 1, 1, 0, 0)]


def test_a_cancellation_that_a_person_stops_frees_its_pieces_again(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    shop.cancel()
    saga = Saga.objects.get(definition=CANCEL)

    operate.act("cancel", [saga.pk], actor="ada", reason="they want it after all", now=database_now())
    shop.settle()
    packed(shop, {1: 2})

    assert claims(shop) == [(1, "given_up", 1101), (2, "ready", 1101)]
    assert money(shop) == ("captured", 1101, 0)
    assert Shipment.objects.get().state == "label_bought"
