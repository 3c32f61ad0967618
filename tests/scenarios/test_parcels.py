"""Orders in parcels through the whole house: confirmed with their money held, shipped and paid parcel by parcel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orders import commands
from orders.aggregate import InParcels
from orders.giving_back.commands import apply_credit_notes
from orders.models import CreditNote, FulfilmentOrder
from orders.parcelling.commands import OnHold, ask_parcel
from orders.parcelling.rules import NothingFree, NotInParcels
from orders.refunding.commands import ask_refund
from orders.refunding.rules import Wanted
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.models import Saga
from tests.sandbox_process import SandboxProcess
from tests.scenarios.fulfilment import Ends, Fulfilment, in_business, sandbox

__all__ = ["sandbox"]

IN_PARCELS = "orders.fulfil_in_parcels"


@pytest.fixture
def shop(transactional_db: None, sandbox: SandboxProcess) -> Iterator[Fulfilment]:
    """A shop in business with a full shelf, led by the engine. At the end of the test the books have to balance."""
    with in_business(sandbox) as business:
        business.shelve(MUG=10, TEA=10)
        yield business
        assert business.breaches() == []


def test_an_order_in_parcels_is_confirmed_with_its_money_held_and_nothing_bought(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=2, TEA=1)

    shop.settle()

    assert shop.ends() == Ends("confirmed", "authorized", "allocated", None)
    assert shop.story(definition=IN_PARCELS) == [
        "place_order", "authorize_payment", "reserve_stock", "confirm_order",
    ]  # fmt: skip
    assert shop.effects() == {"holds": 1}
    assert (shop.payment().authorized_minor, shop.payment().captured_minor) == (1500, 0)


def test_its_hold_can_be_captured_several_times(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=2)
    shop.settle()

    intent = shop.sandbox.control("GET", f"/v1/payment_intents/{shop.payment().provider_id}")

    assert intent["payment_method_options"] == {"card": {"request_multicapture": "if_available"}}


def test_an_order_in_parcels_that_is_declined_gives_everything_back(shop: Fulfilment) -> None:
    shop.given("payments.authorize_payment", "A-1", refuses="lost_card")
    shop.order_in_parcels(MUG=2)

    shop.settle()

    assert shop.ends() == Ends("rejected", "declined", None, None)
    assert shop.stock() == (10, 0, 0)


def test_an_order_in_parcels_whose_goods_are_missing_lets_the_hold_go(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=11)

    shop.settle()

    assert shop.ends()[:2] == ("rejected", "voided")
    assert shop.effects() == {"holds": 1, "voids": 1}


def test_an_order_in_parcels_that_is_cancelled_early_is_given_back(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=2)
    shop.cancel()

    shop.settle()

    assert shop.row().state == "cancelled"
    assert shop.stock() == (10, 0, 0)
    assert shop.effects() == {}


def test_a_credit_note_of_an_order_in_parcels_waits_and_stops_no_other(shop: Fulfilment) -> None:
    shop.order_in_parcels("A-1", MUG=2)
    shop.order("A-2", MUG=2)
    shop.settle()
    shop.credit("A-1", kind="cancellation", amount_minor=500, MUG=1)
    shop.credit("A-2", kind="cancellation", amount_minor=500, MUG=1)

    apply_credit_notes(now=database_now())
    shop.settle()

    assert list(
        Saga.objects.filter(definition="orders.cancel_fulfilment").values_list("search_key", flat=True)
    ) == ["A-2"]
    assert shop.ends("A-1") == Ends("confirmed", "authorized", "allocated", None)


def test_notes_that_cannot_go_yet_crowd_out_no_other(shop: Fulfilment) -> None:
    for n in range(3):
        shop.order_in_parcels(f"A-{n}", MUG=2)
    shop.order("B-1", MUG=2)
    shop.settle()
    for n in range(3):
        shop.credit(f"A-{n}", kind="cancellation", amount_minor=500, MUG=1)
    parcel(shop, {1: 1}, reference="A-0")
    shop.settle()
    shop.hand_over()  # one of them is processing
    shop.credit("B-1", amount_minor=500, MUG=1)

    moved = [apply_credit_notes(now=database_now(), limit=2) for _ in range(2)]

    assert moved == [1, 0]
    shop.settle()
    states = CreditNote.objects.order_by("reference").values_list("state", flat=True)
    assert list(states) == ["waiting"] * 3 + ["applied"]


def test_notes_of_an_order_in_parcels_go_when_all_of_it_has_left(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=1)
    shop.settle()
    shop.credit(amount_minor=500, MUG=1)
    parcel(shop)
    shop.settle()
    assert CreditNote.objects.get().state == "waiting"

    shop.hand_over()
    shop.settle()

    assert CreditNote.objects.get().state == "applied"
    assert shop.effects()["refunds"] == 1


def test_nothing_of_it_is_refunded_while_shares_may_still_be_taken(shop: Fulfilment) -> None:
    shop.order_in_parcels(MUG=2)
    shop.settle()

    with pytest.raises(InParcels):
        ask_refund(shop.row().pk, Wanted(whole=True), actor="bob", reason="crack", now=database_now())


# --- parcels ------------------------------------------------------------------------------------------------


def confirmed(shop: Fulfilment, **skus: int) -> None:
    """An order in parcels that is confirmed: its goods and 1.01 for its shipping."""
    shop.order_in_parcels(charges_minor=101, **skus)
    shop.settle()


def parcel(shop: Fulfilment, pieces: dict[int, int] | None = None, reference: str = "A-1") -> FulfilmentOrder:
    """Somebody asks for a parcel with these pieces, or with everything that is free."""
    return ask_parcel(
        shop.row(reference).pk, pieces or {}, actor="ada", reason="it is here", now=database_now()
    )


def states(shop: Fulfilment) -> list[tuple[int, str, int]]:
    """The parcels of A-1: number, state and share."""
    found = FulfilmentOrder.objects.filter(order_id=shop.row().pk).order_by("number")
    return list(found.values_list("number", "state", "share_minor"))


def test_f26_three_parcels_take_their_shares_and_the_order_ends_with_the_last(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2, TEA=1)

    for pieces in ({1: 1}, {1: 1}, {2: 1}):
        parcel(shop, pieces)
        shop.settle()
        shop.hand_over()
    shop.deliver()

    assert states(shop) == [(1, "ready", 534), (2, "ready", 533), (3, "ready", 534)]
    assert shop.row().state == "completed"
    assert (shop.payment().state, shop.payment().captured_minor) == ("captured", 1601)
    assert shop.effects() == {"holds": 1, "captures": 3}
    for n in (1, 2, 3):
        assert shop.effects(f"A-1/p{n}") == {"labels": 1, "pickups": 1, "deliveries": 1}
    assert shop.stock() == (8, 0, 0)


def test_f26_an_order_of_which_a_part_was_delivered_goes_on(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    parcel(shop, {1: 1})
    shop.settle()
    shop.hand_over()
    shop.deliver()

    assert shop.row().state == "processing"
    assert (shop.payment().state, shop.payment().captured_minor) == ("partly_captured", 551)
    assert shop.effects()["captures"] == 1


def test_a_parcel_may_not_leave_before_its_share_is_taken(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    shop.given("payments.capture_payment", "A-1", meets="do_then_drop", times=1)
    parcel(shop, {1: 1})
    shop.settle_now()

    shop.hand_over()

    assert shop.effects()["captures"] == 1
    assert shop.payment().captured_minor == 551


def test_two_parcels_at_once_are_both_paid(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    parcel(shop, {1: 1})
    parcel(shop, {1: 1})

    shop.settle()

    assert states(shop) == [(1, "ready", 551), (2, "ready", 550)]
    assert (shop.payment().state, shop.payment().captured_minor) == ("captured", 1101)


def test_f24_a_refused_share_gives_the_label_back_and_calls_a_person(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    shop.given("payments.capture_payment", "A-1", refuses="processing_error")
    parcel(shop, {1: 1})

    shop.settle()

    assert states(shop) == [(1, "given_up", 551)]
    assert (shop.row().state, shop.row().on_hold) == ("confirmed", True)
    assert shop.row().attention_reason == "parcel 1: payments.capture_failed"
    assert shop.ends() == Ends("confirmed", "authorized", "allocated", "voided")
    assert shop.effects() == {"holds": 1}
    assert shop.effects("A-1/p1") == {"labels": 1, "cancellations": 1}


def test_after_a_person_has_looked_the_same_pieces_go_in_another_parcel(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    shop.given("payments.capture_payment", "A-1", refuses="processing_error")
    parcel(shop, {1: 1})
    shop.settle()
    with pytest.raises(OnHold):
        parcel(shop)

    shop.sandbox.control("DELETE", "/sandbox/scripts")
    commands.clear_attention(shop.row().pk, actor="ada", reason="the bank says yes", now=database_now())
    parcel(shop)
    shop.settle()

    assert states(shop) == [(1, "given_up", 551), (2, "ready", 1101)]
    assert (shop.payment().state, shop.payment().captured_minor) == ("captured", 1101)


def test_f26_with_a_provider_of_one_capture_what_ships_later_calls_a_person(shop: Fulfilment) -> None:
    shop.given("payments.authorize_payment", "A-1", meets="single_capture")
    confirmed(shop, MUG=2)
    parcel(shop, {1: 1})
    shop.settle()
    parcel(shop, {1: 1})

    shop.settle()

    assert states(shop) == [(1, "ready", 551), (2, "given_up", 550)]
    assert shop.row().attention_reason == "parcel 2: payments.authorization_used_up"
    assert (shop.payment().state, shop.payment().captured_minor) == ("captured", 551)


def test_pieces_that_are_in_a_parcel_are_in_no_other(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    parcel(shop, {1: 2})

    with pytest.raises(NothingFree):
        parcel(shop, {1: 1})
    shop.settle()

    assert states(shop) == [(1, "ready", 1101)]


def test_an_order_that_is_shipped_whole_has_no_parcels_to_ask_for(shop: Fulfilment) -> None:
    shop.run()

    with pytest.raises(NotInParcels):
        parcel(shop)


def test_a_form_that_is_sent_twice_asks_once(shop: Fulfilment) -> None:
    confirmed(shop, MUG=2)
    again: dict[str, Any] = {
        "actor": "ada",
        "reason": "it is here",
        "now": database_now(),
        "request_id": uuid7(),
    }

    first = ask_parcel(shop.row().pk, {1: 1}, **again)
    second = ask_parcel(shop.row().pk, {1: 1}, **again)
    shop.settle()

    assert first.pk == second.pk
    assert states(shop) == [(1, "ready", 551)]
