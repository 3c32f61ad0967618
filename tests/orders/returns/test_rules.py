"""Which pieces may come back, and what they are worth: rules without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.aggregate import Order
from orders.contract import GOODS
from orders.lines import Line
from orders.returns.aggregate import Finding, Return
from orders.returns.refusals import NotHandedOver, ReturnInvalid, ReturnMoved, ReturnTooLate, SpokenFor
from orders.returns.rules import Wish, check_time, free_pieces, granted, value_of
from orders.returns.states import FINAL
from orders.returns.states import State as ReturnState
from orders.states import State
from orders.worth import Promised, of_refund
from sagas.ids import uuid7

NOW = datetime(2026, 1, 5, tzinfo=UTC)
MONTH = timedelta(days=30)


def an_order(*lines: Line, state: State = State.COMPLETED, charges: int = 0) -> Order:
    goods = sum(line.total_minor for line in lines)
    return Order(
        id=uuid7(), shop_id=uuid7(), external_reference="A-1", state=state, currency="EUR", moved_at=NOW,
        total_minor=goods + charges, goods_minor=goods, charges_minor=charges,
        lines={line.position: line for line in lines},
    )  # fmt: skip


def a_line(quantity: int, total: int = 0, position: int = 1, sku: str = "MUG") -> Line:
    return Line(position, sku, GOODS, quantity, total_minor=total)


def a_return(*lines: tuple[int, str, int]) -> Return:
    """A return as it was asked for, its first event already stored."""
    back = Return(
        id=uuid7(), shop_id=uuid7(), order_id=uuid7(), number=1, saga_id=uuid7(), due_at=NOW + MONTH,
        requested_at=NOW, moved_at=NOW,
    ).request(lines)  # fmt: skip
    back.changes.clear()
    return back


def test_a_third_of_a_line_is_rounded_and_the_last_piece_takes_what_is_left() -> None:
    line = a_line(3, total=100)
    order, paid = an_order(line), []

    for returned in range(3):
        line.returned = returned
        paid.append(value_of(order, {1: 1}))

    assert paid == [33, 34, 33]


@given(st.data(), st.integers(1, 12), st.integers(0, 10_000))
def test_returned_and_refunded_in_any_portions_the_pieces_of_a_line_sum_to_its_total(
    data: st.DataObject, quantity: int, total: int
) -> None:
    line = a_line(quantity, total=total)
    order, paid = an_order(line), 0

    while line.left:
        pieces = data.draw(st.integers(1, line.left))
        if data.draw(st.booleans()):
            amount = min(of_refund(order, {1: pieces}, Promised())[1], order.outstanding_minor)
            line.refunded, line.refunded_minor = line.refunded + pieces, line.refunded_minor + amount
            order.refunded_minor += amount
        else:
            amount = value_of(order, {1: pieces})
            line.returned += pieces
            order.returned_minor += amount
        paid += amount
        assert 0 <= paid <= total

    assert paid == total


@given(st.integers(1, 9), st.integers(0, 5000), st.integers(0, 5000))
def test_never_more_is_paid_than_is_outstanding(quantity: int, total: int, gone: int) -> None:
    line = a_line(quantity, total=total)
    order = an_order(line)
    order.refunded_minor = min(gone, total)

    assert value_of(order, {1: quantity}) == order.outstanding_minor


def test_pieces_that_were_cancelled_returned_refunded_or_spoken_for_are_not_free() -> None:
    line = a_line(10)
    line.cancelled, line.returned, line.refunded = 1, 2, 3

    assert free_pieces([line], {1: 1}) == {1: 3}
    assert free_pieces([line], {1: 9}) == {1: 0}


def test_charges_cannot_be_returned() -> None:
    order = an_order(a_line(2), Line(2, "WRAP", "service", 1))

    free = free_pieces(order.lines.values(), {})

    assert free == {1: 2}
    with pytest.raises(ReturnInvalid):
        granted(order, [Wish(1, position=2)], free)


def test_pieces_of_a_sku_are_taken_from_the_last_line_first_and_once() -> None:
    order = an_order(a_line(1), a_line(2, position=2))
    free = free_pieces(order.lines.values(), {})

    assert granted(order, [Wish(1, sku="MUG"), Wish(1, position=2)], free) == {2: 2}
    with pytest.raises(SpokenFor):
        granted(order, [Wish(2, position=2), Wish(2, sku="MUG")], free)


@pytest.mark.parametrize("state", [s for s in State if s not in (State.PROCESSING, State.COMPLETED)])
def test_only_what_was_handed_over_may_come_back(state: State) -> None:
    with pytest.raises(NotHandedOver):
        check_time(an_order(state=state), window=MONTH, now=NOW)


def test_the_time_begins_with_the_delivery_and_its_last_moment_still_counts() -> None:
    delivered = an_order()

    check_time(delivered, window=MONTH, now=NOW + MONTH)
    with pytest.raises(ReturnTooLate):
        check_time(delivered, window=MONTH, now=NOW + MONTH + timedelta(microseconds=1))
    check_time(an_order(state=State.PROCESSING), window=MONTH, now=NOW + 9 * MONTH)


@given(st.data())
def test_whatever_people_say_in_whatever_order_a_return_accepts_at_most_what_came_and_ends_once(
    data: st.DataObject,
) -> None:
    back = a_return((1, "MUG", 3), (2, "POT", 1))
    ended = 0

    for act in data.draw(st.lists(st.sampled_from(["receive", "inspect", "withdraw", "close"]), max_size=12)):
        pieces = {p: data.draw(st.integers(0, 4)) for p in (1, 2)}
        before = back.state
        try:
            match act:
                case "receive":
                    back.receive(pieces, {1: "MUG", 2: "POT"}, (), now=NOW)
                case "inspect":
                    back.inspect(
                        [Finding(p, n, back.lines[p].received - n, "worn", n) for p, n in pieces.items()],
                        now=NOW,
                    )
                case "withdraw":
                    back.withdraw("x", now=NOW)
                case "close":
                    back.close(refund_minor=1, credit_minor=0, now=NOW)
        except (ReturnMoved, ReturnInvalid):
            assert back.state is before
        ended += before not in FINAL and back.state in FINAL
        assert before not in FINAL or back.state is before

        for line in back.lines.values():
            assert 0 <= line.restock <= line.accepted <= line.received
            decided = line.accepted + line.rejected
            assert decided in ((0, line.received) if back.state is ReturnState.WITHDRAWN else (decided,))
        if back.state in (ReturnState.INSPECTED, ReturnState.CLOSED):
            assert all(line.accepted + line.rejected == line.received for line in back.lines.values())
        assert back.version == 1 + len(back.changes)
    assert ended <= 1
