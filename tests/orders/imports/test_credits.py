"""A credit note finds the sales it gives back, by rules a to f, and says what kind of giving back it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orders.imports.online_retail import OnlineRetailFile
from orders.imports.records import CreditDraft, CreditKind
from tests.orders.imports.builders import Given, credits_of, read, reasons, write


def _sale(invoice: str, quantity: int, **more: Any) -> Given:
    return Given(invoice=invoice, quantity=quantity, **more)


def _back(quantity: int, **more: Any) -> Given:
    return Given(invoice="C540000", quantity=-quantity, **{"at": "2010-12-03 10:00:00", **more})


def _credit(path: Path, *rows: Given) -> tuple[tuple[CreditDraft, ...], set[str]]:
    """The parts of the last record, and the rules that were used."""
    file = OnlineRetailFile(write(path, *rows))
    last = list(file.records())[-1]
    return credits_of(last), {rule for rule, times in file.matches.items() if times}


def _taken(parts: tuple[CreditDraft, ...]) -> list[tuple[str | None, int, int]]:
    return [(part.order, line.quantity, line.amount_minor) for part in parts for line in part.lines]


def test_rule_a_takes_the_latest_untouched_sale_of_same_quantity_and_price(path: Path) -> None:
    parts, rules = _credit(
        path, _sale("1", 6), _sale("2", 6), _sale("3", 6, price="2.10"), _sale("4", 12), _back(6)
    )

    assert (_taken(parts), rules) == ([("2", 6, 1_530)], {"same_quantity_and_price"})


def test_rule_b_takes_the_latest_untouched_sale_of_same_quantity_at_another_price(path: Path) -> None:
    parts, rules = _credit(
        path, _sale("1", 6, price="2.10"), _sale("2", 6, price="2.20"), _sale("3", 12), _back(6)
    )

    assert (_taken(parts), rules) == ([("2", 6, 1_530)], {"same_quantity"})


def test_rule_c_takes_the_latest_sale_with_enough_left(path: Path) -> None:
    parts, rules = _credit(path, _sale("1", 12), _sale("2", 8), _sale("3", 4), _back(5))

    assert (_taken(parts), rules) == ([("2", 5, 1_275)], {"part_of_one"})


def test_a_sale_that_was_touched_is_no_longer_a_whole_one(path: Path) -> None:
    parts, rules = _credit(
        path, _sale("1", 6), _sale("2", 6), Given(invoice="C539999", quantity=-1), _back(6)
    )

    assert (_taken(parts), rules) == ([("1", 6, 1_530)], {"part_of_one", "same_quantity_and_price"})


def test_rule_d_spreads_over_sales_from_the_latest_back(path: Path) -> None:
    parts, rules = _credit(path, _sale("1", 5), _sale("2", 3), _sale("3", 2), _back(6))

    assert (_taken(parts), rules) == ([("3", 2, 510), ("2", 3, 765), ("1", 1, 255)], {"spread"})
    assert [part.reference for part in parts] == ["C540000/1", "C540000/2", "C540000/3"]
    assert sum(part.amount_minor for part in parts) == 1_530


def test_rule_e_a_guest_cannot_be_matched(path: Path) -> None:
    parts, rules = _credit(path, _sale("1", 6, customer=""), _back(6, customer=""))

    assert (_taken(parts), rules) == ([(None, 6, 1_530)], {"no_customer"})


@pytest.mark.parametrize(
    "sale",
    [
        Given(invoice="1", quantity=5),
        Given(invoice="1", quantity=6, customer="12345.0"),
        Given(invoice="1", quantity=6, code="84879"),
    ],
    ids=["too few", "another customer", "another SKU"],
)
def test_rule_f_what_was_not_sold_before_is_unmatched(path: Path, sale: Given) -> None:
    parts, rules = _credit(path, sale, _back(6))

    assert (_taken(parts), rules) == ([(None, 6, 1_530)], {"unmatched"})


def test_a_credit_before_any_order_is_unmatched(path: Path) -> None:
    records = read(path, _back(6), _sale("1", 6))

    assert _taken(credits_of(records[0])) == [(None, 6, 1_530)]


def test_a_sale_is_given_back_only_once(path: Path) -> None:
    records = read(path, _sale("1", 6), _back(6), Given(invoice="C540001", quantity=-6))

    assert [credits_of(record)[0].order for record in records[1:]] == ["1", None]


def test_the_refund_is_at_the_price_of_the_credit_note(path: Path) -> None:
    parts, _ = _credit(path, _sale("1", 6, price="2.55"), _back(6, price="2.00"))

    assert parts[0].amount_minor == 1_200


def test_lower_case_codes_match_upper_case_sales(path: Path) -> None:
    parts, _ = _credit(path, _sale("1", 6, code="85123A"), _back(6, code="85123a"))

    assert parts[0].order == "1"


def test_free_goods_are_used_up_but_are_no_order_of_ours(path: Path) -> None:
    parts, rules = _credit(path, _sale("1", 6, price="0.0"), _back(6, price="0.0"))

    assert (_taken(parts), rules) == ([(None, 6, 0)], {"same_quantity_and_price"})


@pytest.mark.parametrize(
    ("at", "kind"),
    [
        ("2010-12-01 09:00:00", CreditKind.CANCELLATION),
        ("2010-12-02 08:26:00", CreditKind.CANCELLATION),
        ("2010-12-02 08:27:00", CreditKind.RETURN),
    ],
)
def test_within_a_day_of_the_order_it_is_a_cancellation_and_then_a_return(
    path: Path, at: str, kind: CreditKind
) -> None:
    parts, _ = _credit(path, _sale("1", 6), _back(6, at=at))

    assert parts[0].kind is kind


def test_a_note_may_concern_several_orders_and_none(path: Path) -> None:
    parts, _ = _credit(
        path,
        _sale("1", 6),
        _sale("2", 4, code="84879"),
        _back(6),
        _back(4, code="84879", price="1.00"),
        _back(1, code="22423", price="9.95"),
    )

    assert [(part.reference, part.order, part.amount_minor) for part in parts] == [
        ("C540000/1", "1", 1_530),
        ("C540000/2", "2", 400),
        ("C540000/3", None, 995),
    ]


def test_money_without_goods_joins_the_first_matched_order_of_its_note(path: Path) -> None:
    parts, _ = _credit(path, _sale("1", 6), _back(6), _back(1, code="POST", price="4.95"))

    assert [(part.order, part.money_minor, part.amount_minor) for part in parts] == [("1", 495, 2_025)]


def test_money_alone_is_an_allowance_on_the_customers_latest_order(path: Path) -> None:
    parts, _ = _credit(path, _sale("1", 6), _sale("2", 6), _back(1, code="D", price="27.50"))

    assert [(part.order, part.kind, part.lines, part.amount_minor) for part in parts] == [
        ("2", CreditKind.ALLOWANCE, (), 2_750)
    ]


def test_money_alone_of_a_guest_is_an_allowance_without_order(path: Path) -> None:
    parts, _ = _credit(path, _sale("1", 6, customer=""), _back(1, code="M", price="27.50", customer=""))

    assert [(part.order, part.kind, part.amount_minor) for part in parts] == [
        (None, CreditKind.ALLOWANCE, 2_750)
    ]


def test_book_keeping_rows_are_reported_and_the_rest_is_given_back(path: Path) -> None:
    records = read(path, _sale("1", 6), _back(6), _back(1, code="S", price="3.00"))

    assert credits_of(records[1])[0].amount_minor == 1_530
    assert reasons(records) == [(4, "sample")]


def test_a_note_of_nothing_but_fees_is_reported(path: Path) -> None:
    [record] = read(path, _back(1, code="AMAZONFEE", price="13541.33", customer=""))

    assert (record.kind, record.fact, reasons([record])) == ("credit_note", None, [(2, "fee")])


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (Given(invoice="C540000", quantity=1), "quantity_positive"),
        (Given(invoice="C540000", quantity=-1, price="-1.0"), "price_negative"),
        (Given(invoice="C540000", quantity=-1, code="M", price="0.0"), "nothing_given_back"),
        (Given(invoice="C540000", quantity=-999_999_999, price="999999999.0"), "total_wrong"),
    ],
)
def test_a_note_that_contradicts_itself_is_reported(path: Path, row: Given, code: str) -> None:
    [record] = read(path, row)

    assert (record.fact, reasons([record])) == (None, [(2, code)])


def test_a_note_left_out_uses_nothing_up(path: Path) -> None:
    records = read(path, _sale("1", 6), _back(6), _back(-1), Given(invoice="C540001", quantity=-6))

    assert records[1].fact is None
    assert credits_of(records[2])[0].order == "1"


def test_part_amounts_sum_to_the_rounded_note(path: Path) -> None:
    parts, _ = _credit(
        path,
        _sale("1", 3),
        _sale("1", 3, code="84879"),
        _back(3, price="0.335"),
        _back(3, code="84879", price="0.335"),
    )

    assert parts[0].amount_minor == 201
    assert [line.amount_minor for line in parts[0].lines] == [101, 100]
