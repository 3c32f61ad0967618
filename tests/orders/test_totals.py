"""Totals are exact integers, or the order is not taken (F06, F07)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.totals import (
    DECIMALS,
    MOST_MINOR,
    MOST_PIECES,
    MOST_TOTAL_MINOR,
    AmountInvalid,
    ChargeInput,
    InvalidOrder,
    LineInput,
    TotalMismatch,
    total_up,
)
from sagas.money import money
from tests.orders.factories import a_line

BIGINT = 2**63 - 1

amounts = st.integers(0, 10**9)
lines = st.lists(
    st.builds(
        LineInput,
        sku=st.just("S"),
        quantity=st.integers(1, 1000),
        unit_price_minor=st.integers(1, 10**6),
        tax_minor=amounts,
        discount_minor=st.integers(0, 1),
    ),
    min_size=1,
    max_size=20,
)
charges = st.lists(
    st.builds(ChargeInput, kind=st.sampled_from(["shipping", "handling", "fee"]), amount_minor=amounts),
    max_size=5,
)


def line(**values: Any) -> LineInput:
    return a_line(**({"quantity": 1, "unit_price_minor": 100} | values))


@given(lines, charges, st.sampled_from(["JPY", "EUR", "KWD"]))
def test_f07_line_totals_and_charges_sum_to_the_total_exactly(
    lines: list[LineInput], charges: list[ChargeInput], currency: str
) -> None:
    totals = total_up(lines, charges, currency=currency)

    by_hand = sum(x.quantity * x.unit_price_minor + x.tax_minor - x.discount_minor for x in lines)
    assert totals.goods_minor == by_hand
    assert totals.charges_minor == sum(c.amount_minor for c in charges)
    assert totals.total_minor == totals.goods_minor + totals.charges_minor
    assert {type(totals.goods_minor), type(totals.charges_minor), type(totals.total_minor)} == {int}


@given(lines, charges, st.integers(-3, 3))
def test_f06_a_stated_total_is_taken_only_when_it_is_the_sum(
    lines: list[LineInput], charges: list[ChargeInput], off: int
) -> None:
    total = total_up(lines, charges, currency="EUR").total_minor

    if off == 0:
        assert total_up(lines, charges, currency="EUR", expected=total).total_minor == total
    else:
        with pytest.raises(TotalMismatch) as refused:
            total_up(lines, charges, currency="EUR", expected=total + off)
        assert refused.value.code == "orders.total_mismatch"


@given(st.integers(-(10**16), 10**16), st.sampled_from(sorted(DECIMALS)))
def test_an_amount_reads_as_the_decimal_number_it_is(minor: int, currency: str) -> None:
    number, _, unit = money(minor, currency).partition(" ")

    assert Decimal(number.replace(",", "")) * 10 ** DECIMALS[currency] == minor
    assert unit == currency


def test_amounts_read_with_the_decimals_of_their_currency() -> None:
    assert money(1234, "EUR") == "12.34 EUR"
    assert money(1234, "JPY") == "1,234 JPY"
    assert money(1234, "KWD") == "1.234 KWD"
    assert money(-5, "EUR") == "-0.05 EUR"


@pytest.mark.parametrize(
    "bad",
    [
        {"quantity": 0},
        {"quantity": -1},
        {"quantity": MOST_PIECES + 1},
        {"quantity": 1.0},
        {"quantity": True},
        {"unit_price_minor": -1},
        {"unit_price_minor": 1.5},
        {"unit_price_minor": float("nan")},
        {"unit_price_minor": MOST_MINOR + 1},
        {"tax_minor": -1},
        {"discount_minor": -1},
        {"discount_minor": 101},
        {"quantity": MOST_PIECES, "unit_price_minor": MOST_MINOR},
    ],
)
def test_f07_a_line_that_is_not_whole_and_in_bounds_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(AmountInvalid) as refused:
        total_up([line(**bad)], [], currency="EUR")

    assert refused.value.code == "orders.amount_invalid"


def test_f07_the_largest_order_that_is_taken_fits_into_a_bigint_many_times() -> None:
    most = line(quantity=1000, unit_price_minor=MOST_TOTAL_MINOR // 1000)

    assert total_up([most], [], currency="EUR").total_minor == MOST_TOTAL_MINOR
    with pytest.raises(AmountInvalid):
        total_up([most, line()], [], currency="EUR")
    assert MOST_PIECES * MOST_MINOR + 2 * MOST_MINOR < BIGINT


def test_what_is_given_off_may_lower_the_total_but_not_below_zero() -> None:
    off = ChargeInput(kind="voucher", amount_minor=-100)

    assert total_up([line()], [off], currency="EUR").total_minor == 0
    with pytest.raises(AmountInvalid):
        total_up([line()], [off, off], currency="EUR")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"currency": "XXX"}, "orders.currency_unknown"),
        ({"currency": "eur"}, "orders.currency_unknown"),
        ({"lines": []}, "orders.nothing_to_ship"),
        ({"lines": [line(kind="voucher")]}, "orders.nothing_to_ship"),
        ({"lines": [line(), line(kind="gift")]}, "orders.line_kind_unknown"),
        ({"lines": [line()] * 5001}, "orders.too_many_lines"),
        ({"charges": [ChargeInput(kind="bribe", amount_minor=1)]}, "orders.charge_kind_unknown"),
        ({"charges": [ChargeInput(kind="shipping", amount_minor=-1)]}, "orders.amount_invalid"),
        ({"charges": [ChargeInput(kind="fee", amount_minor=1)] * 101}, "orders.too_many_charges"),
        ({"expected": 100.0}, "orders.total_mismatch"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_a_stable_code(values: dict[str, Any], code: str) -> None:
    order: dict[str, Any] = {"lines": [line()], "charges": [], "currency": "EUR"} | values

    with pytest.raises(InvalidOrder) as refused:
        total_up(**order)

    assert refused.value.code == code


def test_an_order_of_1114_lines_is_taken() -> None:
    assert total_up([line()] * 1114, [], currency="GBP").total_minor == 111_400
