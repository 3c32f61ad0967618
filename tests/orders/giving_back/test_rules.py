"""What is done with a credit note follows from its order alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.aggregate import Order
from orders.giving_back.rules import Way, everything_left, is_whole, share, way_for, within
from orders.lines import Line
from orders.states import LockKind, State
from sagas.ids import uuid7

ONE_PEN = [{"sku": "PEN", "quantity": 1}]


def _order(
    state: State, *, lock: LockKind = LockKind.NONE, total_minor: int = 1_000, given_back: int = 0
) -> Order:
    order = Order(
        id=uuid7(), shop_id=uuid7(), state=state, total_minor=total_minor, returned_minor=given_back
    )
    order.lines = {
        1: Line(1, "PEN", "goods", 3),
        2: Line(2, "PEN", "goods", 2),
        3: Line(3, "GIFT", "voucher", 1),
    }
    if lock is not LockKind.NONE:
        order.lock_kind, order.lock_saga, order.lock_since = lock, uuid7(), datetime.now(UTC)
    return order


@pytest.mark.parametrize(
    ("state", "kind", "way"),
    [
        (State.DRAFT, "cancellation", Way.WAIT),
        (State.PENDING, "cancellation", Way.WAIT),
        (State.CANCELLING, "return", Way.WAIT),
        (State.CONFIRMED, "cancellation", Way.CANCEL),
        (State.CONFIRMED, "return", Way.WAIT),
        (State.CONFIRMED, "allowance", Way.WAIT),
        (State.PROCESSING, "cancellation", Way.RETURN),
        (State.PROCESSING, "return", Way.RETURN),
        (State.COMPLETED, "allowance", Way.RETURN),
        (State.CANCELLED, "return", Way.RETURN),
        (State.REJECTED, "return", Way.NOTHING),
    ],
)
def test_the_state_of_the_order_decides(state: State, kind: str, way: Way) -> None:
    assert way_for(kind, _order(state), ONE_PEN, was_paid=state is not State.REJECTED) is way


def test_an_order_cancelled_before_it_was_paid_has_nothing_to_refund() -> None:
    assert way_for("return", _order(State.CANCELLED), ONE_PEN, was_paid=False) is Way.NOTHING


@pytest.mark.parametrize("lock", [LockKind.FULFIL, LockKind.CANCEL, LockKind.RETURN])
@pytest.mark.parametrize("state", list(State))
def test_while_a_saga_holds_the_order_every_note_waits(state: State, lock: LockKind) -> None:
    assert way_for("return", _order(state, lock=lock), ONE_PEN, was_paid=True) is Way.WAIT


def test_a_cancellation_of_what_is_gone_becomes_a_return() -> None:
    order = _order(State.CONFIRMED)
    for line in order.lines.values():
        line.cancelled = line.quantity

    assert way_for("cancellation", order, ONE_PEN, was_paid=True) is Way.BECOME_RETURN


def test_pieces_are_cut_down_to_what_is_left_over_all_lines_of_a_sku() -> None:
    lines = _order(State.CONFIRMED).lines.values()
    wanted = [{"sku": "PEN", "quantity": 3}, {"sku": "PEN", "quantity": 9}, {"sku": "CUP", "quantity": 1}]

    assert within(lines, wanted) == [{"sku": "PEN", "quantity": 5}]
    assert everything_left(lines) == [{"sku": "PEN", "quantity": 5}, {"sku": "GIFT", "quantity": 1}]


def test_whole_is_when_nothing_is_left_to_ship() -> None:
    lines = _order(State.CONFIRMED).lines.values()

    assert is_whole(lines, [{"sku": "PEN", "quantity": 5}])
    assert not is_whole(lines, [{"sku": "PEN", "quantity": 4}])


@given(st.integers(0, 5_000), st.integers(0, 1_000))
def test_a_share_gives_the_amount_and_never_more_than_the_order_has(amount: int, given_back: int) -> None:
    part = share(amount, _order(State.COMPLETED, given_back=given_back))

    assert part.refund_minor + part.credit_minor == amount
    assert part.refund_minor <= 1_000 - given_back
    assert part.credit_minor == 0 or part.refund_minor == 1_000 - given_back


@given(st.integers(0, 5_000), st.integers(0, 1_000))
def test_an_order_given_back_whole_keeps_nothing(amount: int, given_back: int) -> None:
    part = share(amount, _order(State.CONFIRMED, given_back=given_back), whole=True)

    assert part.refund_minor == 1_000 - given_back
    assert part.credit_minor == max(0, amount - part.refund_minor)
