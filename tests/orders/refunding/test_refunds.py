"""Refunds that one person asks for: the whole order, an amount or pieces, beside all else that gives back."""

from __future__ import annotations

import pytest

from orders.aggregate import OrderLocked
from orders.commands import OrderNotFound, cancel_order
from orders.lines import MoreThanOrdered
from orders.models import Order, OrderLine, RefundRequest
from orders.refunding.rules import RefundTooLarge, Wanted
from payments.models import Refund
from sagas.clock import database_now
from sagas.ids import uuid7
from sagas.operate import ReasonMissing
from sagas.verdicts import IllegalMove
from tests.orders.giving_back.house import House, only_saga
from tests.orders.refunding.asking import (
    SAGA,
    ask,
    facts,
    fresh,
    part,
    refunded_at_provider,
    stands,
    whole,
)


def test_the_whole_order_is_paid_back_and_nothing_else_happens_to_it(house: House) -> None:
    order = house.fulfilled(MUG=2, TEA=1)

    request = whole(order)
    locked = Order.objects.get(pk=order.pk)
    house.settle()

    saga, now = only_saga(order.pk, SAGA), fresh(order)
    assert (locked.lock_kind, locked.lock_saga) == ("refund", saga.pk)
    assert (saga.state, stands(request)) == ("completed", ("paid", 1500, 0, 0))
    assert (now.state, now.lock_kind, now.refunded_minor) == ("confirmed", "", 1500)
    assert refunded_at_provider(house) == 1500
    assert facts(request.pk) == ["RefundAsked", "RefundEnded"]
    assert facts(order.pk)[-2:] == ["RefundOpened", "OrderRefunded"]
    assert RefundRequest.objects.get().refund_id == Refund.objects.get().pk


def test_pieces_are_paid_back_line_by_line_to_the_last_cent(house: House) -> None:
    order = house.fulfilled(MUG=3)
    OrderLine.objects.update(total_minor=1500)

    for _ in range(3):
        ask(order, Wanted(pieces={1: 1}))
        house.settle()

    assert [r.amount_minor for r in RefundRequest.objects.order_by("id")] == [500, 500, 500]
    assert (fresh(order).refunded_minor, refunded_at_provider(house)) == (1500, 1500)
    with pytest.raises(MoreThanOrdered):
        ask(order, Wanted(pieces={1: 1}))


def test_an_amount_is_paid_back_out_of_what_is_left(house: House) -> None:
    order = house.fulfilled(MUG=2)

    part(order, 300)
    house.settle()
    with pytest.raises(RefundTooLarge) as refused:
        part(order, 701)

    assert refused.value.left_minor == 700
    assert refunded_at_provider(house) == fresh(order).refunded_minor == 300


@pytest.mark.parametrize("late", [False, True])
def test_after_the_hand_over_money_goes_back_too(house: House, late: bool) -> None:
    order = house.fulfilled(MUG=1)
    house.hand_over()
    if late:
        house.deliver()

    request = whole(order)
    house.settle()

    assert stands(request) == ("paid", 500, 0, 0)
    assert fresh(order).state == ("completed" if late else "processing")


def test_an_order_that_was_never_paid_or_gives_everything_back_has_nothing_to_refund(house: House) -> None:
    draft = house.order("A-0", MUG=1)
    order = house.fulfilled("A-1", MUG=1)
    cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())

    for one in (draft, order):
        with pytest.raises(IllegalMove):
            whole(one)

    assert RefundRequest.objects.count() == 0


def test_an_order_that_another_saga_holds_is_not_refunded_meanwhile(house: House) -> None:
    order = house.fulfilled(MUG=2)
    part(order, 100)

    with pytest.raises(OrderLocked):
        part(order, 100)
    with pytest.raises(OrderLocked):
        cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())

    assert RefundRequest.objects.count() == 1


def test_another_shop_sees_no_order_to_refund(house: House) -> None:
    order = house.fulfilled(MUG=1)

    with pytest.raises(OrderNotFound):
        whole(order, shop_id=uuid7())


@pytest.mark.parametrize("change", [{"reason": " "}, {"actor": ""}])
def test_every_refund_has_a_name_and_a_reason(house: House, change: dict[str, str]) -> None:
    order = house.fulfilled(MUG=1)

    with pytest.raises(ReasonMissing):
        whole(order, **change)


def test_a_cancellation_gives_back_only_what_was_not_refunded(house: House) -> None:
    order = house.fulfilled(MUG=2)
    ask(order, Wanted(pieces={1: 1}))
    house.settle()

    cancel_order(order.pk, actor="shop", reason="changed my mind", now=database_now())
    house.settle()

    now = fresh(order)
    assert (now.state, now.refunded_minor, now.cancelled_minor) == ("cancelled", 500, 500)
    assert refunded_at_provider(house) == 1000
    assert house.on_shelf("MUG") == (2, 0)


def test_a_credit_note_pays_nothing_a_second_time_not_even_as_credit(house: House) -> None:
    order = house.fulfilled(MUG=2)
    house.hand_over()
    whole(order)
    house.settle()

    note = house.note(order, "return", 500, MUG=1)
    house.settle()

    assert house.ended(note) == ("applied", 0, 0)
    assert (refunded_at_provider(house), fresh(order).returned_minor) == (1000, 0)


def test_a_credit_note_beyond_a_refund_is_paid_and_owed_as_before(house: House) -> None:
    order = house.fulfilled(MUG=2)
    house.hand_over()
    part(order, 300)
    house.settle()

    note = house.note(order, "return", 1100, MUG=2)
    house.settle()

    assert house.ended(note) == ("applied", 700, 100)  # 11.00, of which 3.00 had gone and 7.00 were left
    assert refunded_at_provider(house) == 1000


def test_a_refund_covers_its_money_once_however_many_credit_notes_follow(house: House) -> None:
    order = house.fulfilled(MUG=2)
    house.hand_over()
    part(order, 300)
    house.settle()

    notes = []
    for reference, amount_minor in (("C-1", 700), ("C-2", 200), ("C-3", 300)):
        notes.append(house.note(order, "allowance", amount_minor, reference=reference))
        house.settle()

    assert [house.ended(note)[1:] for note in notes] == [(700, 0), (0, 0), (0, 200)]
    assert (refunded_at_provider(house), house.owed()) == (1000, 200)


def test_a_credit_note_that_is_called_like_a_refund_is_another_refund(house: House) -> None:
    order = house.fulfilled(MUG=2)
    house.hand_over()
    called = f"refund-{Order.objects.get(pk=order.pk).version}"

    request = part(order, 300)
    house.settle()
    note = house.note(order, "return", 300, reference=called)
    house.settle()

    assert (stands(request), house.ended(note)) == (("paid", 300, 0, 0), ("applied", 300, 0))
    assert refunded_at_provider(house) == 600


def test_a_part_that_is_cancelled_leaves_a_refunded_piece_to_be_shipped(house: House) -> None:
    order = house.fulfilled(MUG=2)
    ask(order, Wanted(pieces={1: 1}))
    house.settle()

    house.note(order, "cancellation", 500, MUG=1)
    house.settle()

    now = fresh(order)
    assert (now.state, now.cancelled_minor) == ("confirmed", 500)
    assert refunded_at_provider(house) == 1000
