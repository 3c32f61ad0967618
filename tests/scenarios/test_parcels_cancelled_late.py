"""F49: a cancel that reaches an order in parcels after its own saga ended is carried out, parcel by parcel."""

from __future__ import annotations

from orders.models import FulfilmentOrder, Return
from sagas import operate
from sagas.clock import database_now
from sagas.log import read
from sagas.models import Intent, Saga
from tests.scenarios.fulfilment import Fulfilment
from tests.scenarios.parcels import ask, cancel, claims, confirmed, counted, money, packed, shop

__all__ = ["shop"]


def cancel_late(shop: Fulfilment) -> None:
    """A person cancels the saga of the order, which has long ended."""
    saga = shop.saga(definition="orders.fulfil_in_parcels")
    operate.act("cancel", [saga.pk], actor="ada", reason="cancel it", now=database_now())


def answers() -> list[tuple[str, str]]:
    """What became of what was asked of sagas."""
    return list(Intent.objects.values_list("state", "answer"))


def sagas_of(number: int) -> list[str]:
    """How the sagas stand that were to cancel a parcel, oldest first."""
    parcel = FulfilmentOrder.objects.get(number=number)
    found = Saga.objects.filter(subject_id=parcel.pk, definition="orders.cancel_parcel").order_by("pk")
    return list(found.values_list("state", flat=True))


def test_a_parcel_that_is_just_being_booked_is_cancelled_once_it_is_paid_for(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    ask(shop, {1: 1})

    cancel_late(shop)
    shop.settle()

    assert answers() == [("applied", "late")]
    assert claims(shop) == [(1, "cancelled", 551), (2, "cancelled", 550)]
    assert (shop.row().state, counted(shop)) == ("cancelled", [(2, 2, 0, 0)])
    assert money(shop) == ("captured", 551, 551)
    assert shop.stock() == (10, 0, 0)
    asked = read(FulfilmentOrder.objects.get(number=1).pk)[2]
    assert (asked.event.type, asked.metadata["reason"]) == ("orders.ParcelCancelAsked", "cancel it")


def test_what_a_parcel_frees_that_is_given_up_is_cancelled_too(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    shop.given("shipping.book_shipment", refuses="country_not_served")
    ask(shop, {1: 1})

    cancel_late(shop)
    cancel_late(shop)
    shop.settle()

    assert claims(shop) == [(1, "given_up", 551), (2, "cancelled", 550), (3, "cancelled", 551)]
    assert sagas_of(1) == ["compensated"]
    assert (shop.row().state, money(shop)) == ("cancelled", ("voided", 0, 0))
    assert shop.stock() == (10, 0, 0)


def test_a_parcel_that_a_person_has_cancelled_meanwhile_is_given_back_once(shop: Fulfilment) -> None:
    confirmed(shop, MUG=1)
    ask(shop, {1: 1})
    cancel_late(shop)
    shop.settle(without={"orders.hold_parcel"})
    assert claims(shop) == [(1, "ready", 601)]

    cancel(shop, 1)
    shop.settle()

    assert claims(shop) == [(1, "cancelled", 601)]
    assert sorted(sagas_of(1)) == ["compensated", "completed"]
    assert (shop.row().state, money(shop)) == ("cancelled", ("captured", 601, 601))


def test_of_an_order_that_is_processing_only_what_has_not_left_is_cancelled(shop: Fulfilment) -> None:
    confirmed(shop, MUG=3)
    packed(shop, {1: 1})
    shop.hand_over()
    packed(shop, {1: 1})

    cancel_late(shop)
    shop.settle()
    shop.deliver()

    assert claims(shop) == [(1, "ready", 534), (2, "cancelled", 533), (3, "cancelled", 534)]
    assert Return.objects.count() == 0
    assert (shop.row().state, money(shop)) == ("completed", ("captured", 1067, 533))
    assert not shop.row().needs_attention


def test_of_an_order_of_which_all_has_left_a_return_is_opened(shop: Fulfilment) -> None:
    confirmed(shop, MUG=1)
    packed(shop)
    shop.hand_over()

    cancel_late(shop)
    shop.settle()

    assert Return.objects.get().origin == "cancellation"
    assert shop.row().attention_reason == "orders.cancelled_too_late"
