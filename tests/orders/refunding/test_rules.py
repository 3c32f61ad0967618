"""What pieces are worth, and how much may go back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.aggregate import Order
from orders.contract import GOODS
from orders.lines import Line, MoreThanOrdered
from orders.refunding.rules import (
    BadWish,
    NoSuchLine,
    NothingToRefund,
    Promised,
    RefundTooLarge,
    Wanted,
    check_again,
    left_of,
    pieces_left,
    settle,
    worth,
)
from orders.states import LockKind, State
from sagas.ids import uuid7

NOW = datetime(2026, 1, 5, tzinfo=UTC)
NOTHING = Promised()


def a_line(total: int, quantity: int, position: int = 1) -> Line:
    return Line(position, f"SKU-{position}", GOODS, quantity, total_minor=total)


def an_order(*lines: Line, charges: int = 0) -> Order:
    goods = sum(line.total_minor for line in lines)
    return Order(
        id=uuid7(), shop_id=uuid7(), external_reference="A-1", state=State.CONFIRMED, currency="EUR",
        total_minor=goods + charges, goods_minor=goods, charges_minor=charges,
        lines={line.position: line for line in lines},
    )  # fmt: skip


def test_a_third_of_a_line_is_rounded_and_the_last_piece_takes_what_is_left() -> None:
    line = a_line(100, 3)

    first = worth(line, 1)
    line.refunded, line.refunded_minor = 1, first
    second = worth(line, 1)
    line.refunded, line.refunded_minor = 2, first + second

    assert (first, second, worth(line, 1)) == (33, 34, 33)


def test_a_promise_that_came_to_nothing_leaves_no_cent_behind() -> None:
    line = a_line(100, 3)
    declined = worth(line, 1)
    kept = worth(line, 1, promised=(1, declined))
    line.refunded, line.refunded_minor = 1, kept  # the first of the two was declined

    rest = worth(line, 2)

    assert (declined, kept, rest) == (33, 34, 66)


@given(
    total=st.integers(0, 10**9),
    quantity=st.integers(1, 40),
    cuts=st.lists(st.tuples(st.integers(1, 10), st.sampled_from(["refund", "return", "promise"]))),
)
def test_whatever_the_portions_the_pieces_sum_to_the_line(
    total: int, quantity: int, cuts: list[tuple[int, str]]
) -> None:
    line = a_line(total, quantity)
    for pieces, how in cuts:
        taken = min(pieces, line.left)
        if how == "return":
            line.returned += taken
        elif how == "refund" and taken:
            amount = worth(line, taken)
            line.refunded += taken
            line.refunded_minor += amount
        else:
            worth(line, taken)  # asked for, and declined
    elsewhere = (2 * total * line.returned + quantity) // (2 * quantity)

    line.refunded_minor += worth(line, line.left)

    assert line.refunded_minor in (total - elsewhere, total - elsewhere + 1)
    assert line.returned or line.refunded_minor == total


def test_the_whole_is_everything_outstanding_and_names_no_pieces() -> None:
    order = an_order(a_line(1000, 2), charges=300)
    order.cancelled_minor, order.returned_minor, order.refunded_minor = 100, 50, 150

    settled = settle(Wanted(whole=True), order, NOTHING)

    assert (settled.amount_minor, settled.lines) == (1000, [])


def test_pieces_are_priced_by_their_line() -> None:
    order = an_order(a_line(1000, 4), a_line(999, 2, position=2))

    settled = settle(Wanted(pieces={2: 1, 1: 3}), order, NOTHING)

    assert settled.lines == [
        {"position": 1, "sku": "SKU-1", "quantity": 3, "amount_minor": 750},
        {"position": 2, "sku": "SKU-2", "quantity": 1, "amount_minor": 500},
    ]
    assert settled.amount_minor == 1250


def test_a_piece_is_refunded_once_whether_it_was_cancelled_returned_refunded_or_promised() -> None:
    line = a_line(1000, 5)
    line.cancelled = line.returned = line.refunded = 1
    promised = Promised(200, {1: (1, 200)})
    order = an_order(line)

    assert pieces_left(line, promised) == 1
    with pytest.raises(MoreThanOrdered, match="line 1 has 1 left, not 2"):
        settle(Wanted(pieces={1: 2}), order, promised)


def test_f33_what_waits_for_approval_is_promised_to_nobody_else() -> None:
    order = an_order(a_line(1000, 2))
    promised = Promised.of([(600, []), (100, [{"position": 1, "quantity": 1, "amount_minor": 100}])])

    with pytest.raises(RefundTooLarge) as refused:
        settle(Wanted(amount_minor=301), order, promised)

    assert refused.value.left_minor == left_of(order, promised) == 300
    assert str(refused.value.detail) == "3.01 EUR is more than the 3.00 EUR that is left"
    assert settle(Wanted(amount_minor=300), order, promised).amount_minor == 300


def test_a_line_that_is_not_there_is_refused() -> None:
    with pytest.raises(NoSuchLine):
        settle(Wanted(pieces={7: 1}), an_order(a_line(1000, 2)), NOTHING)


@pytest.mark.parametrize("wanted", [Wanted(whole=True), Wanted(pieces={1: 1})])
def test_nothing_is_not_refunded(wanted: Wanted) -> None:
    with pytest.raises(NothingToRefund):
        settle(wanted, an_order(a_line(0, 2)), NOTHING)


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"amount_minor": -1},
        {"whole": True, "amount_minor": 5},
        {"pieces": {1: 1}, "amount_minor": 5},
        {"pieces": {1: 0}},
    ],
)
def test_a_wish_is_one_of_three(wish: dict[str, object]) -> None:
    with pytest.raises(BadWish):
        Wanted(**wish)  # type: ignore[arg-type]


def test_what_was_promised_is_checked_again_against_what_is_left_by_then() -> None:
    order = an_order(a_line(1000, 2))
    order.cancelled_minor, order.lines[1].cancelled = 500, 1
    piece = {"position": 1, "quantity": 1, "amount_minor": 500}

    check_again(500, [piece], order)
    with pytest.raises(RefundTooLarge):
        check_again(501, [], order)
    with pytest.raises(MoreThanOrdered):
        check_again(500, [piece | {"quantity": 2}], order)


def test_an_order_is_locked_while_its_money_goes_back_and_counts_it_then() -> None:
    order, saga, request = an_order(a_line(1000, 2)), uuid7(), uuid7()
    lines = [{"position": 1, "sku": "SKU-1", "quantity": 1, "amount_minor": 500}]

    order.open_refund(saga, request, now=NOW)
    held = (order.lock_saga, order.lock_kind)
    order.refund(saga, request, lines, amount_minor=500, now=NOW)

    assert held == (saga, LockKind.REFUND)
    assert (order.lock_kind, order.refunded_minor, order.outstanding_minor) == (LockKind.NONE, 500, 500)
    assert (order.lines[1].refunded, order.lines[1].refunded_minor, order.lines[1].left) == (1, 500, 1)
    assert order.lines[1].kept == 2  # the goods still go out
