"""F26: what each parcel takes of an order's money, and which pieces are free for it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.aggregate import Order
from orders.lines import Line
from orders.parcelling.rules import (
    Claimed,
    NothingFree,
    PiecesTaken,
    choose,
    free_of,
    lines_of,
    share_of,
    worth,
)
from sagas.ids import uuid7


def an_order(*lines: tuple[int, int], total_minor: int | None = None, **more: Any) -> Order:
    """An order of lines as (quantity, total_minor); its total is theirs unless charges come on top."""
    made = {
        n: Line(n, f"SKU-{n}", "goods", quantity, total_minor=worth)
        for n, (quantity, worth) in enumerate(lines, 1)
    }
    total = sum(worth for _, worth in lines) if total_minor is None else total_minor
    return Order(id=uuid7(), shop_id=uuid7(), external_reference="A-1", total_minor=total, lines=made, **more)


def test_f26_the_last_of_three_parcels_takes_the_rest_of_the_rounding() -> None:
    order = an_order((3, 1000))
    claims: list[Claimed] = []

    for _ in range(3):
        claims.append(Claimed({1: 1}, share_of(order, {1: 1}, claims)))

    assert [claim.share_minor for claim in claims] == [333, 334, 333]


def test_charges_go_along_in_proportion() -> None:
    order = an_order((1, 3000), (1, 1000), total_minor=4400)

    first = share_of(order, {1: 1}, [])
    second = share_of(order, {2: 1}, [Claimed({1: 1}, first)])

    assert (first, second) == (3300, 1100)


def test_goods_that_cost_nothing_share_the_charges_by_pieces() -> None:
    order = an_order((1, 0), (3, 0), total_minor=400)

    assert (worth(order, {1: 1}), worth(order, {2: 3})) == (100, 300)


def test_an_order_that_costs_nothing_has_shares_of_nothing() -> None:
    assert share_of(an_order((2, 0)), {1: 1}, []) == 0


def test_what_is_free_is_what_nobody_has() -> None:
    order = an_order((5, 500), (1, 100))

    free = free_of(order.lines.values(), [Claimed({1: 2}, 200), Claimed({2: 1}, 100)])

    assert free == {1: 3}


@pytest.mark.parametrize("given_back", ["cancelled", "returned", "refunded"])
def test_pieces_that_were_given_back_are_in_a_claim_and_not_subtracted_twice(given_back: str) -> None:
    order = an_order((5, 500))
    setattr(order.lines[1], given_back, 2)

    assert free_of(order.lines.values(), [Claimed({1: 2}, 200)]) == {1: 3}


def test_without_pieces_named_everything_that_is_free_is_chosen() -> None:
    assert choose(an_order((2, 200), (1, 100)), {}, [Claimed({1: 1}, 100)]) == {1: 1, 2: 1}


@pytest.mark.parametrize("wanted", [{1: 2}, {2: 1}, {1: 1, 2: 1}])
def test_pieces_that_are_not_free_are_refused(wanted: dict[int, int]) -> None:
    with pytest.raises(PiecesTaken):
        choose(an_order((2, 200), (1, 100)), wanted, [Claimed({1: 1}, 100), Claimed({2: 1}, 100)])


def test_once_nothing_is_free_nothing_is_chosen() -> None:
    with pytest.raises(NothingFree):
        choose(an_order((1, 100)), {}, [Claimed({1: 1}, 100)])


def test_a_claims_lines_say_what_is_to_be_shipped() -> None:
    assert lines_of(an_order((2, 200)), {1: 2}) == [
        {"position": 1, "sku": "SKU-1", "kind": "goods", "quantity": 2}
    ]


goods = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9999)), min_size=1, max_size=4)


@given(goods=goods, charges=st.integers(-2000, 5000), data=st.data())
def test_f26_shares_sum_to_the_total_whatever_is_claimed_and_given_up(
    goods: list[tuple[int, int]], charges: int, data: st.DataObject
) -> None:
    total = max(0, sum(worth for _, worth in goods) + charges)
    order = an_order(*goods, total_minor=total)
    claims: list[Claimed] = []
    give_up = data.draw(st.lists(st.booleans(), min_size=60, max_size=60))

    while free := free_of(order.lines.values(), claims):
        if claims and give_up and give_up.pop():
            claims.pop(data.draw(st.integers(0, len(claims) - 1)))
            free = free_of(order.lines.values(), claims)
        position = data.draw(st.sampled_from(sorted(free)))
        pieces = {position: data.draw(st.integers(1, free[position]))}
        if data.draw(st.booleans()):
            pieces = free
        claims.append(Claimed(pieces, share_of(order, pieces, claims)))
        assert 0 <= sum(claim.share_minor for claim in claims) <= total

    assert sum(claim.share_minor for claim in claims) == total


@given(goods=goods, cuts=st.integers(0, 10_000))
def test_more_pieces_are_never_worth_less(goods: list[tuple[int, int]], cuts: int) -> None:
    order = an_order(*goods, total_minor=sum(worth for _, worth in goods) + cuts)
    pieces = [(position, n) for position, (quantity, _) in enumerate(goods, 1) for n in range(quantity + 1)]
    whole = {position: quantity for position, (quantity, _) in enumerate(goods, 1)}

    steps = [worth(order, {position: n}) for position, n in pieces if position == 1]

    assert all(less <= more for less, more in pairwise(steps))
    assert worth(order, whole) == order.total_minor
