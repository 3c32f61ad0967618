"""A person ends a saga by hand, in any way there is: what it worked for has ended too, or can be taken up again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from orders import commands
from orders.contract import CANCEL_FULFILMENT, RETURN_GOODS
from orders.giving_back.commands import apply_credit_notes
from orders.models import CreditNote, RefundRequest
from orders.refunding import closing
from orders.refunding.commands import ask_refund
from orders.refunding.rules import Wanted
from orders.returns import queries
from payments.commands.repaying import repay_refund
from payments.models import Refund
from sagas.clock import database_now
from sagas.engine import intents
from shipping.contract import BOOK_SHIPMENT
from tests.sandbox_process import SandboxProcess
from tests.scenarios.ending import BACK, DONE, by_hand, resolve, skip
from tests.scenarios.fulfilment import Fulfilment, in_business
from tests.scenarios.returning import Desk, shipped

REFUND, REFUND_STEP = "orders.refund_order", "payments.refund_payment"


@pytest.fixture
def shop(transactional_db: None, sandbox: SandboxProcess) -> Iterator[Fulfilment]:
    """A shop in business. Whether its books balance is asked where a person left nothing undone."""
    with in_business(sandbox) as business:
        yield business


def free(shop: Fulfilment) -> bool:
    order = shop.row()
    return (order.lock_kind, order.lock_saga) == ("", None)


# --- refunds ------------------------------------------------------------------------------------------------


def refund(shop: Fulfilment, *, without: str = REFUND_STEP, pieces: int = 1) -> RefundRequest:
    """A refund of some mugs that comes as far as a step."""
    request = ask_refund(
        shop.row().pk, Wanted(pieces={1: pieces}), actor="bob", reason="crack", now=database_now()
    )
    shop.settle(without=(without,))
    return request


def stands(request: RefundRequest) -> tuple[str, int, int]:
    request.refresh_from_db()
    return request.state, request.refunded_minor, request.owed_minor


@pytest.fixture
def paid(shop: Fulfilment) -> Fulfilment:
    """Two mugs at 5.00 each, paid."""
    shop.shelve(MUG=10)
    shop.order(MUG=2)
    shop.settle()
    return shop


def test_a_refund_that_was_paid_by_hand_counts_and_frees_the_order(paid: Fulfilment) -> None:
    request = refund(paid)

    resolve(paid.saga(definition=REFUND).pk, DONE)

    assert (free(paid), stands(request), paid.row().refunded_minor) == (True, ("paid", 500, 0), 500)
    assert paid.row().lines.get().refunded_quantity == 1
    assert paid.breaches() == []


def test_a_refund_of_which_nothing_went_back_is_declined_and_may_be_asked_for_again(paid: Fulfilment) -> None:
    request = refund(paid)

    resolve(paid.saga(definition=REFUND).pk, BACK)

    assert (free(paid), stands(request), paid.row().refunded_minor) == (True, ("declined", 0, 0), 0)
    assert (request.decided_by, request.decision_reason) == ("ada", "settled it")
    again = refund(paid, without="", pieces=2)
    assert (stands(again), paid.payment().refunded_minor) == (("paid", 1000, 0), 1000)
    assert paid.breaches() == []


@pytest.mark.parametrize("how", [DONE, BACK], ids=["completed", "compensated"])
def test_a_refund_that_the_provider_could_not_pay_is_owed_until_it_is_paid_another_way(
    paid: Fulfilment, how: dict[str, Any]
) -> None:
    paid.sandbox.script("refund", "*", "decline", times=1)
    request = refund(paid, without="")
    assert stands(request) == ("owed", 0, 500)

    resolve(paid.saga(definition=REFUND).pk, how)

    assert (free(paid), stands(request)) == (True, ("owed", 0, 500))
    repay_refund(Refund.objects.get().pk, reference="BT-1", actor="ada", reason="x", now=database_now())
    paid.settle()
    assert stands(request) == ("paid", 500, 0)
    assert paid.breaches() == []


@pytest.mark.parametrize("act", ["skip", "completed", "compensated"])
def test_a_refund_that_is_known_to_have_gone_back_is_paid_whatever_a_person_says(
    paid: Fulfilment, act: str
) -> None:
    request = refund(paid, without="orders.close_refund")
    saga = paid.saga(definition=REFUND)

    if act == "skip":
        skip(saga.pk, "orders.close_refund")
    else:
        resolve(saga.pk, {"as": act})

    assert (free(paid), stands(request), paid.row().refunded_minor) == (True, ("paid", 500, 0), 500)
    assert paid.breaches() == []


def test_what_cannot_let_go_keeps_no_saga_from_ending_and_is_let_go_by_resolving_it_again(
    paid: Fulfilment, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = refund(paid)
    saga = paid.saga(definition=REFUND)
    with monkeypatch.context() as broken:
        broken.setattr(closing, "close_refunds", lambda *_, **__: 1 / 0)
        resolve(saga.pk, DONE)
    assert (free(paid), stands(request)) == (False, ("running", 0, 0))

    by_hand(saga.pk, "resolve", DONE)

    assert (free(paid), stands(request)) == (True, ("paid", 500, 0))


def test_what_was_ended_before_sagas_let_go_is_freed_by_resolving_it_again(
    paid: Fulfilment, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund(paid)
    saga = paid.saga(definition=REFUND)
    with monkeypatch.context() as before:
        before.setattr(intents, "let_go", lambda *_, **__: None)
        resolve(saga.pk, BACK)
    assert not free(paid)

    by_hand(saga.pk, "resolve", DONE)  # as it has ended, not as is said now

    assert (free(paid), RefundRequest.objects.get().state) == (True, "declined")


# --- returns and credit notes -------------------------------------------------------------------------------


@pytest.fixture
def desk(shop: Fulfilment) -> Desk:
    """Three mugs at 5.00 each are with the carrier."""
    return shipped(shop, ("MUG", 3))


@pytest.mark.parametrize("how", [DONE, BACK], ids=["completed", "compensated"])
@pytest.mark.parametrize("received", [False, True])
def test_a_return_that_nobody_inspected_is_withdrawn_and_its_pieces_are_free(
    desk: Desk, received: bool, how: dict[str, Any]
) -> None:
    desk.ask({1: 2})
    if received:
        desk.receive({1: 2})
    desk.shop.settle_now()

    resolve(desk.saga().pk, how)

    assert (free(desk.shop), desk.states(), desk.row().end_code) == (
        True, ["withdrawn"], "orders.ended_by_hand",
    )  # fmt: skip
    assert queries.free_of(desk.shop.row().pk) == {1: 3}
    assert desk.shop.breaches() == []


def inspected(desk: Desk, *, without: str) -> UUID:
    desk.ask({1: 2})
    desk.receive({1: 2})
    desk.shop.settle_now()
    desk.accept({1: 2})
    desk.shop.settle(without=(without,), horizon=database_now() - database_now())
    return desk.saga().pk


@pytest.mark.parametrize("step", [REFUND_STEP, "orders.inspect_return"])
def test_a_return_that_was_settled_by_hand_is_closed_as_it_was_inspected(desk: Desk, step: str) -> None:
    saga = inspected(desk, without=step)

    resolve(saga, DONE)

    assert (free(desk.shop), desk.states()) == (True, ["closed"])
    assert (desk.row().refund_minor, desk.shop.row().returned_minor) == (1000, 1000)
    assert desk.shop.row().lines.get().returned_quantity == 2


@pytest.mark.parametrize("step", [REFUND_STEP, "orders.inspect_return"])
def test_a_return_that_was_given_up_by_hand_is_withdrawn_and_may_be_asked_for_again(
    desk: Desk, step: str
) -> None:
    saga = inspected(desk, without=step)

    resolve(saga, BACK)

    assert (free(desk.shop), desk.states()) == (True, ["withdrawn"])
    assert queries.free_of(desk.shop.row().pk) == {1: 3}
    assert desk.shop.breaches() == []
    desk.ask({1: 3})


@pytest.mark.parametrize("act", ["skip", "completed", "compensated"])
def test_a_return_that_is_paid_is_closed_whatever_a_person_says(desk: Desk, act: str) -> None:
    saga = inspected(desk, without="orders.close_return")

    if act == "skip":
        skip(saga, "orders.close_return")
    else:
        resolve(saga, {"as": act})

    assert (free(desk.shop), desk.states(), desk.row().refund_minor) == (True, ["closed"], 1000)
    assert desk.shop.breaches() == []


def noted(desk: Desk, *, without: str) -> UUID:
    desk.shop.credit(amount_minor=500, MUG=1)
    apply_credit_notes(now=database_now())
    desk.shop.settle(without=(without,))
    assert not free(desk.shop)
    return desk.shop.saga(definition=RETURN_GOODS).pk


@pytest.mark.parametrize("step", [REFUND_STEP, "orders.close_return"])
@pytest.mark.parametrize("act", ["skip", "completed", "compensated"])
def test_a_credit_note_whose_saga_was_ended_by_hand_is_applied_or_waits_again(
    desk: Desk, step: str, act: str
) -> None:
    saga = noted(desk, without=step)

    if act == "skip":
        skip(
            saga,
            step,
            {"refund_id": None, "refunded_minor": 500, "credited_minor": 0} if step == REFUND_STEP else {},
        )
    else:
        resolve(saga, {"as": act})
    waits = CreditNote.objects.get().state == "waiting"
    desk.shop.settle()

    note = CreditNote.objects.get()
    assert waits == (step == REFUND_STEP and act != "completed")
    assert (free(desk.shop), note.state, note.refund_minor) == (True, "applied", 500)
    assert desk.shop.row().returned_minor == 500


# --- cancellations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["skip", "completed", "compensated"])
def test_a_cancellation_that_gave_everything_back_ends_the_order_whatever_a_person_says(
    paid: Fulfilment, act: str
) -> None:
    paid.cancel()
    paid.settle(without=("orders.close_cancellation",))
    saga = paid.saga(definition=CANCEL_FULFILMENT).pk

    if act == "skip":
        skip(saga, "orders.close_cancellation")
    else:
        resolve(saga, {"as": act})

    assert (free(paid), paid.row().state) == (True, "cancelled")
    paid.settle()
    assert paid.breaches() == []


def test_a_cancellation_that_was_given_up_lets_the_order_go_on_and_be_cancelled_again(
    paid: Fulfilment,
) -> None:
    paid.cancel()
    paid.settle(without=("shipping.withdraw_shipment",))

    resolve(paid.saga(definition=CANCEL_FULFILMENT).pk, BACK)

    assert (free(paid), paid.row().state) == (True, "confirmed")
    paid.cancel()
    paid.settle()
    assert paid.row().state == "cancelled"
    assert paid.breaches() == []


# --- fulfilments --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["skip", "completed"])
def test_an_order_that_was_fulfilled_by_hand_is_confirmed(shop: Fulfilment, act: str) -> None:
    shop.shelve(MUG=10)
    shop.order(MUG=2)
    shop.settle(without=("orders.confirm_order",))

    if act == "skip":
        skip(shop.saga().pk, "orders.confirm_order")
    else:
        resolve(shop.saga().pk, DONE)

    assert (free(shop), shop.row().state) == (True, "confirmed")
    shop.settle()
    assert shop.breaches() == []


@pytest.mark.parametrize("step", ["orders.place_order", "payments.authorize_payment"])
@pytest.mark.parametrize("how", [DONE, BACK], ids=["completed", "compensated"])
def test_an_order_whose_saga_was_ended_early_ends_with_it(
    shop: Fulfilment, step: str, how: dict[str, Any]
) -> None:
    shop.shelve(MUG=10)
    shop.order(MUG=2)
    shop.settle(without=(step,))

    resolve(shop.saga().pk, how)

    assert (free(shop), shop.row().state) == (True, "confirmed" if how is DONE else "rejected")


def test_an_order_that_waited_for_its_address_is_on_hold_no_more(shop: Fulfilment) -> None:
    shop.given(BOOK_SHIPMENT, refuses="shipping.address_unknown", field="postcode", times=1)
    shop.shelve(MUG=10)
    shop.order(MUG=2)
    shop.settle_now()
    assert shop.row().on_hold

    resolve(shop.saga().pk, BACK)

    assert (free(shop), shop.row().state, shop.row().on_hold) == (True, "rejected", False)
    with pytest.raises(commands.AddressFixed):
        commands.correct_address(
            shop.row().pk, {"city": "Hamburg"}, actor="ada", reason="called", now=database_now()
        )
