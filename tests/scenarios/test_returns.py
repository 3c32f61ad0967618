"""Goods that come back wait for people, and only what is accepted is paid and put back."""

from __future__ import annotations

import pytest

from orders.contract import RETURN_GOODS
from orders.models import RefundRequest, Return, ReturnLine
from orders.refunding.commands import ask_refund
from orders.refunding.rules import Wanted
from orders.returns import queries
from orders.returns.aggregate import Finding
from orders.returns.refusals import (
    NothingToReturn,
    ReturnMoved,
    SpokenFor,
)
from sagas import operate
from sagas.clock import database_now, travel
from sagas.engine import intents
from sagas.models import SagaStep
from sagas.sql import execute
from tests.orders.refunding.asking import approve, decline, limits
from tests.scenarios.fulfilment import Ends, Fulfilment
from tests.scenarios.returning import Desk, by_hand, later, offset, shipped

ON_ITS_WAY = Ends("processing", "captured", "consumed", "handed_over")


def test_a_return_waits_for_its_goods_then_for_a_person_and_then_pays(desk: Desk) -> None:
    desk.ask({1: 2})
    desk.shop.settle()
    assert (desk.saga().hold, desk.saga().hold_reason) == ("waiting", "orders.return_receipt")
    assert desk.saga().amount_minor == 1000
    desk.receive({1: 2})
    desk.shop.settle()
    assert (desk.saga().hold, desk.saga().hold_reason) == ("waiting", "orders.return_inspection")
    assert (desk.shop.row().lock_kind, desk.refunded()) == ("", 0)

    desk.accept({1: 2})
    desk.shop.settle()

    assert desk.states() == ["closed"]
    assert (desk.saga().state, desk.saga().version) == ("completed", 2)
    assert desk.shop.story(definition=RETURN_GOODS) == [
        "receive_return", "inspect_return", "refund_payment", "restock_goods", "close_return",
    ]  # fmt: skip
    assert (desk.refunded(), desk.row().refund_minor) == (1000, 1000)
    assert (desk.shop.stock("MUG"), desk.shop.stock("POT")) == ((19, 0, 0), (18, 0, 0))
    assert (desk.shop.row().returned_minor, desk.shop.row().lock_kind) == (1000, "")
    assert desk.shop.ends() == ON_ITS_WAY


def test_everything_comes_back_and_the_shares_are_the_lines_totals(fulfilment: Fulfilment) -> None:
    desk = shipped(fulfilment, ("MUG", 3), price_minor=333)
    for number in (1, 2, 3):
        desk.ask({1: 1})
        desk.receive({1: 1}, number)
        desk.accept({1: 1}, number)
        desk.shop.settle()

    assert desk.states() == ["closed"] * 3
    assert desk.refunded() == desk.shop.row().total_minor == 999
    with pytest.raises(NothingToReturn):
        desk.ask()


def test_what_never_comes_is_withdrawn_at_its_deadline_and_nothing_is_paid(desk: Desk) -> None:
    desk.ask()
    desk.shop.settle()
    later(desk, 29)
    assert desk.states() == ["requested"]

    later(desk, 2)

    assert (desk.states(), desk.row().end_code) == (["withdrawn"], "orders.return_not_received")
    assert (desk.saga().state, desk.saga().cause_code) == ("compensated", "orders.return_not_received")
    assert desk.refunded() == 0
    assert desk.shop.row().lock_kind == ""


def test_a_return_that_is_taken_back_frees_its_pieces(desk: Desk) -> None:
    desk.ask({1: 3})
    desk.shop.settle()

    desk.withdraw()
    desk.withdraw()
    desk.shop.settle()

    assert (desk.states(), desk.saga().state) == (["withdrawn"], "compensated")
    desk.ask({1: 3})
    assert desk.states() == ["withdrawn", "requested"]


def test_an_inspection_that_nobody_makes_calls_a_person_and_never_pays(desk: Desk) -> None:
    desk.ask()
    desk.receive({1: 3, 2: 2})
    desk.shop.settle()
    assert not desk.shop.row().needs_attention

    later(desk, 8)
    assert desk.shop.row().attention_reason == "orders.return_inspection"
    later(desk, 100)

    assert (desk.states(), desk.saga().state, desk.refunded()) == (["received"], "running", 0)


def test_a_person_who_turns_the_saga_back_ends_the_return(desk: Desk) -> None:
    desk.ask({1: 1})
    desk.receive({1: 1})
    desk.shop.settle()

    operate.act(
        "turn_back", [desk.saga().pk], actor="ada", reason="sent back to the customer", now=database_now(), payload={}
    )  # fmt: skip
    desk.shop.settle()

    assert (desk.states(), desk.saga().state, desk.refunded()) == (["withdrawn"], "compensated", 0)
    assert desk.shop.stock("MUG") == (17, 0, 0)


def test_a_return_whose_saga_was_ended_without_letting_go_can_be_withdrawn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.ask({1: 1})
    desk.receive({1: 1})
    desk.shop.settle()
    with pytest.raises(ReturnMoved):
        desk.withdraw()
    by_hand(desk, "pause")
    monkeypatch.setattr(intents, "let_go", lambda *_, **__: None)
    by_hand(desk, "resolve", {"as": "completed"})
    assert desk.states() == ["received"]

    desk.withdraw()

    assert (desk.states(), desk.saga().state) == (["withdrawn"], "completed")


def test_an_order_that_another_saga_holds_is_waited_for_and_uses_up_no_try(desk: Desk) -> None:
    desk.ask({1: 1})
    desk.receive({1: 1})
    desk.shop.settle()
    other = desk.shop.saga()
    execute(
        "UPDATE orders_order SET lock_kind = 'return', lock_saga = %s, lock_since = now() WHERE id = %s",
        [other.pk, desk.shop.row().pk],
    )
    desk.accept({1: 1})
    for _ in range(20):
        travel(offset() + 61)
        desk.shop.settle_now()
    step = SagaStep.objects.get(saga=desk.saga(), name="orders.inspect_return", direction="do")
    assert (step.verdict, step.code, step.tries) == ("unavailable", "orders.order_locked", 1)
    assert (desk.refunded(), desk.saga().hold) == (0, "none")

    execute(
        "UPDATE orders_order SET lock_kind = '', lock_saga = NULL, lock_since = NULL WHERE id = %s",
        [desk.shop.row().pk],
    )
    desk.shop.settle()

    assert (desk.states(), desk.refunded()) == (["closed"], 500)


def refund(desk: Desk, wanted: Wanted, actor: str = "bob") -> RefundRequest:
    """Somebody asks for money of the order."""
    return ask_refund(desk.shop.row().pk, wanted, actor=actor, reason="crack", now=database_now())


def test_a_piece_is_refunded_or_returned_and_never_both(desk: Desk) -> None:
    desk.ask({1: 1})
    with pytest.raises(SpokenFor):
        refund(desk, Wanted(pieces={1: 3}))
    refund(desk, Wanted(pieces={1: 2}))
    desk.shop.settle()
    assert desk.refunded() == 1000

    with pytest.raises(SpokenFor):
        desk.ask({1: 1})
    desk.receive({1: 2})
    with pytest.raises(SpokenFor):
        desk.accept({1: 2})
    desk.inspect(Finding(1, 1, 1, "was paid already", 1))
    desk.shop.settle()

    line = desk.shop.row().lines.get(position=1)
    assert (line.refunded_quantity, line.returned_quantity) == (2, 1)
    assert (desk.states(), desk.refunded()) == (["closed"], 1500)


def test_pieces_whose_refund_waits_for_approval_cannot_be_returned_until_it_is_declined(desk: Desk) -> None:
    with limits(0):
        waits = refund(desk, Wanted(pieces={1: 2}))

    with pytest.raises(SpokenFor):
        desk.ask({1: 2})
    assert queries.free_of(desk.shop.row().pk) == {1: 1, 2: 2}
    desk.ask({1: 1})
    decline(waits)
    desk.ask({1: 2})

    assert [asked for _, asked, *_ in desk.lines(1) + desk.lines(2)] == [1, 2]


def test_everything_that_is_left_leaves_out_what_waits_for_approval(desk: Desk) -> None:
    with limits(0):
        waits = refund(desk, Wanted(pieces={1: 2, 2: 1}))

    desk.ask()

    assert [(position, asked) for position, asked, *_ in desk.lines()] == [(1, 1), (2, 1)]
    approve(waits)
    desk.shop.settle()
    desk.receive({1: 1, 2: 1})
    desk.accept({1: 1, 2: 1})
    desk.shop.settle()
    assert (desk.states(), desk.refunded()) == (["closed"], 2500)


def test_more_than_was_asked_for_is_not_accepted_if_its_refund_waits(desk: Desk) -> None:
    with limits(0):
        refund(desk, Wanted(pieces={1: 2}))
    desk.ask({1: 1})
    desk.receive({1: 3})

    with pytest.raises(SpokenFor):
        desk.accept({1: 3})
    assert desk.states() == ["received"]


@pytest.mark.parametrize("wanted", [Wanted(whole=True), Wanted(amount_minor=700)], ids=["whole", "amount"])
def test_money_alone_may_go_back_while_pieces_are_on_their_way(desk: Desk, wanted: Wanted) -> None:
    desk.ask({1: 3})

    refund(desk, wanted)
    desk.shop.settle()

    assert desk.refunded() == (wanted.amount_minor or 2500)


def test_a_return_that_was_asked_for_first_is_not_refunded_by_a_second_person_either(desk: Desk) -> None:
    with limits(0):
        waits = refund(desk, Wanted(pieces={1: 2}))
    desk.ask({1: 1})
    ReturnLine.objects.update(asked=3)  # from before refunds that wait were spoken for

    with pytest.raises(SpokenFor):
        approve(waits)

    waits.refresh_from_db()
    assert waits.state == "awaiting_approval"
    ReturnLine.objects.update(asked=1)


def test_a_credit_note_passes_straight_through(desk: Desk) -> None:
    desk.shop.credit(amount_minor=700, MUG=1)
    desk.shop.settle()

    saga = desk.shop.saga(definition=RETURN_GOODS)
    assert (saga.state, saga.version, desk.refunded()) == ("completed", 2, 700)
    assert not Return.objects.exists()
    assert desk.shop.stock("MUG") == (18, 0, 0)


def test_a_credit_note_whose_saga_is_turned_back_lets_go_and_waits_again(desk: Desk) -> None:
    desk.shop.credit(amount_minor=700, MUG=1)
    desk.shop.settle(without=("orders.receive_return",))
    saga = desk.shop.saga(definition=RETURN_GOODS)
    assert desk.shop.row().lock_kind == "return"

    operate.act("turn_back", [saga.pk], actor="ada", reason="not yet", now=database_now(), payload={})
    desk.shop.settle()

    saga.refresh_from_db()
    assert saga.state == "compensated"
    assert (desk.refunded(), desk.shop.row().lock_kind) == (700, "")
