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
    RefundTooLarge,
    Settled,
    Wanted,
    check_again,
    left_of,
    pieces_left,
    settle,
)
from orders.returns.rules import value_of
from orders.states import LockKind, State
from orders.worth import Promised, of_refund
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


def worth(line: Line, pieces: int, promised: tuple[int, int] = (0, 0)) -> int:
    """What so many more pieces of a line are worth beside others of the same order."""
    order = an_order(line, a_line(1_000, 1, position=2))
    return of_refund(order, {1: pieces}, Promised(promised[1], {1: promised}))[1]


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


class Counter:
    """An order at whose counter pieces go back in every way, one after the other, as commands and steps would."""

    def __init__(self, *lines: tuple[int, int], charges: int) -> None:
        numbered = enumerate(lines, start=1)
        self.order = an_order(*(a_line(*line, position) for position, line in numbered), charges=charges)
        self.waiting: list[tuple[int, list[dict[str, int]]]] = []

    def free(self) -> dict[int, int]:
        promised = Promised.of(self.waiting)
        left = {p: pieces_left(line, promised) for p, line in self.order.lines.items()}
        return {position: pieces for position, pieces in left.items() if pieces}

    def refund(self, pieces: dict[int, int]) -> None:
        settled = self.settle(pieces)
        self._count(settled.amount_minor, settled.lines)

    def promise(self, pieces: dict[int, int]) -> None:
        settled = self.settle(pieces)
        self.waiting.append((settled.amount_minor, settled.lines))

    def settle(self, pieces: dict[int, int]) -> Settled:
        try:
            return settle(Wanted(pieces=pieces), self.order, Promised.of(self.waiting))
        except NothingToRefund:  # they cost nothing
            return Settled(0, [{"position": p, "quantity": n, "amount_minor": 0} for p, n in pieces.items()])

    def decide(self, which: int, *, approve: bool) -> None:
        if self.waiting:
            amount, lines = self.waiting.pop(which % len(self.waiting))
            check_again(amount if approve else 0, lines if approve else [], self.order)
            if approve:
                self._count(amount, lines)

    def back(self, pieces: dict[int, int], *, how: str, off: int = 0) -> None:
        """Returned, or cancelled by a credit note of a shop that is `off` by so much."""
        worth = max(0, value_of(self.order, pieces, Promised.of(self.waiting)) + off)
        paid = min(worth, self.order.outstanding_minor)
        for position, count in pieces.items():
            line = self.order.lines[position]
            setattr(line, how, getattr(line, how) + count)
        setattr(self.order, f"{how}_minor", getattr(self.order, f"{how}_minor") + paid)

    def _count(self, amount: int, lines: list[dict[str, int]]) -> None:
        assert amount == sum(item["amount_minor"] for item in lines)
        for item in lines:
            line = self.order.lines[item["position"]]
            line.refunded += item["quantity"]
            line.refunded_minor += item["amount_minor"]
            assert line.refunded_minor <= line.total_minor
        self.order.refunded_minor += amount


LINES = st.lists(st.tuples(st.integers(0, 9_999), st.integers(1, 9)), min_size=1, max_size=3)


def some_of(data: st.DataObject, free: dict[int, int]) -> dict[int, int]:
    positions = data.draw(st.lists(st.sampled_from(sorted(free)), min_size=1, unique=True))
    return {position: data.draw(st.integers(1, free[position])) for position in positions}


def act(data: st.DataObject, counter: Counter, *, off: int) -> None:
    how = data.draw(st.sampled_from(["refund", "promise", "approve", "decline", "returned", "cancelled"]))
    if how in ("approve", "decline"):
        counter.decide(data.draw(st.integers(0, 9)), approve=how == "approve")
    elif not (free := counter.free()):
        counter.decide(0, approve=True)
    elif how in ("returned", "cancelled"):
        counter.back(some_of(data, free), how=how, off=data.draw(st.integers(-off, off)))
    else:
        getattr(counter, how)(some_of(data, free))


@given(st.data(), LINES, st.integers(0, 500))
def test_whatever_goes_back_in_whatever_order_the_pieces_sum_to_the_goods_exactly(
    data: st.DataObject, lines: list[tuple[int, int]], charges: int
) -> None:
    counter = Counter(*lines, charges=charges)

    while counter.free() or counter.waiting:
        act(data, counter, off=0)

    assert counter.order.outstanding_minor == charges


@given(st.data(), LINES)
def test_a_cent_that_a_shop_rounds_otherwise_refuses_no_piece(
    data: st.DataObject, lines: list[tuple[int, int]]
) -> None:
    counter = Counter(*lines, charges=0)
    for _ in range(data.draw(st.integers(1, 6))):
        if free := counter.free():
            how = data.draw(st.sampled_from(["refund", "returned", "cancelled"]))
            if how == "refund":
                counter.refund(some_of(data, free))
            else:
                counter.back(some_of(data, free), how=how, off=data.draw(st.integers(-1, 1)))

    if free := counter.free():
        counter.refund(free)

    # What the shop has said for its own pieces stays as it said it.
    line_count, order = len(lines), counter.order
    by_note = sum(line.cancelled + line.returned for line in order.lines.values())
    assert 0 <= order.outstanding_minor <= by_note + line_count


def test_the_last_piece_is_not_refused_for_a_cent_after_returns_and_refunds_in_turns() -> None:
    counter = Counter((101, 4), charges=0)
    counter.refund({1: 1})
    counter.back({1: 1}, how="returned")
    counter.refund({1: 1})

    counter.refund({1: 1})

    assert counter.order.outstanding_minor == 0


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
