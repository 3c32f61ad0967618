"""The sample's published counts come out of the importer exactly."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal

import pytest

from orders.imports.online_retail.kinds import LineKind
from orders.imports.online_retail.rows import Row
from orders.imports.records import CreditDraft, OrderDraft
from tests.orders.imports.builders import credits_of, order_of
from tests.orders.imports.conftest import Sample


@pytest.fixture(scope="session")
def orders(sample: Sample) -> list[OrderDraft]:
    """Every order of the sample."""
    return [order_of(record) for record in sample.records if record.kind == "order"]


@pytest.fixture(scope="session")
def credit_parts(sample: Sample) -> list[CreditDraft]:
    """Every part of every credit note of the sample."""
    return [
        part for record in sample.records if isinstance(record.fact, tuple) for part in credits_of(record)
    ]


@pytest.fixture(scope="session")
def credit_rows(sample: Sample) -> list[Row]:
    """The goods rows of the sample's credit notes."""
    return [row for row in sample.rows if row.invoice[0] == "C" and row.kind is LineKind.GOODS]


def test_every_row_and_invoice_is_there_once(sample: Sample) -> None:
    assert sample.file.rows_read == len(sample.rows) == 65_418
    assert len(sample.records) == len({record.reference for record in sample.records}) == 2_807
    assert sum(record.rows for record in sample.records) == 65_418


def test_invoices_fall_into_their_classes(sample: Sample) -> None:
    assert Counter(record.kind for record in sample.records) == {
        "order": 2_172,
        "credit_note": 366,
        "stock_adjustment": 245,
        "charge_only": 19,
        "free_order": 2,
        "ledger_adjustment": 3,
    }


def test_what_is_left_out_has_a_reason(sample: Sample) -> None:
    reported = Counter(row.code for record in sample.records for row in record.reported)

    assert reported == {
        "free_order": 99,
        "charge_only": 19,
        "fee": 8,
        "sample": 3,
        "ledger_adjustment": 3,
        "not_goods": 1,
    }
    assert sum(len(record.taken) for record in sample.records) == 65_418 - sum(reported.values())


def test_orders_have_customers_or_guests(orders: list[OrderDraft]) -> None:
    assert Counter(bool(order.customer) for order in orders) == {True: 2_023, False: 149}
    assert len({order.customer for order in orders if order.customer}) == 1_267


def test_goods_lines_units_and_skus(orders: list[OrderDraft]) -> None:
    goods = [line for order in orders for line in order.lines if line.kind == "goods"]

    assert Counter(line.unit_price_minor > 0 for line in goods) == {True: 63_863, False: 10}
    assert sum(line.quantity for line in goods) == 775_656
    assert len({line.sku for line in goods}) == 3_395
    assert sum(line.quantity > 1_000 for line in goods) == 22


def test_order_totals(orders: list[OrderDraft]) -> None:
    totals = sorted(order.total_minor for order in orders)

    assert sum(totals) == 156_759_533
    assert (totals[0], totals[-1]) == (85, 16_846_960)
    assert totals[len(totals) * 50 // 100] == 30_152
    assert totals[len(totals) * 99 // 100] == 726_865
    assert all(total > 0 for total in totals)


def test_lines_and_charges_sum_to_the_total_exactly(orders: list[OrderDraft]) -> None:
    for order in orders:
        assert order.goods_minor == sum(line.total_minor for line in order.lines)
        assert order.charges_minor == sum(charge.amount_minor for charge in order.charges)
        assert order.total_minor == order.goods_minor + order.charges_minor
        assert all(line.total_minor == line.quantity * line.unit_price_minor for line in order.lines)


def test_where_the_money_of_orders_comes_from(orders: list[OrderDraft]) -> None:
    by_kind: Counter[str] = Counter()
    for order in orders:
        by_kind.update({line.kind: 0 for line in order.lines})
        for line in order.lines:
            by_kind[line.kind] += line.total_minor
        for charge in order.charges:
            by_kind[charge.kind] += charge.amount_minor

    assert by_kind == {"goods": 153_207_700, "shipping": 3_516_510, "manual": 21_156, "voucher": 14_167}


def test_no_order_of_the_sample_needs_rounding(sample: Sample) -> None:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in sample.rows:
        totals[row.invoice] += row.quantity * row.price

    orders = {record.reference for record in sample.records if record.kind == "order"}
    assert sum(total != round(total, 2) for invoice, total in totals.items() if invoice in orders) == 0


def test_shapes_of_orders(sample: Sample, orders: list[OrderDraft]) -> None:
    goods = [[line.sku for line in order.lines if line.kind == "goods"] for order in orders]

    with_shipping = {row.invoice for row in sample.rows if row.kind is LineKind.SHIPPING}
    assert len(with_shipping & {order.reference for order in orders}) == 186
    assert sum(record.rows >= 500 for record in sample.records if record.kind == "order") == 15
    assert sum(len(skus) > len(set(skus)) for skus in goods) == 332


def test_how_the_goods_rows_of_credit_notes_are_matched(sample: Sample, credit_rows: list[Row]) -> None:
    assert len(credit_rows) == 910
    assert sample.file.matches == {
        "same_quantity_and_price": 275,
        "same_quantity": 7,
        "part_of_one": 304,
        "spread": 0,
        "no_customer": 23,
        "unmatched": 301,
    }


def test_a_simple_test_finds_fewer_sales_than_the_rules(sample: Sample, credit_rows: list[Row]) -> None:
    sold = defaultdict(list)
    for row in sample.rows:
        if row.kind is LineKind.GOODS and row.quantity > 0 and row.customer:
            sold[row.customer, row.sku, row.quantity].append(row.line)

    found = [row for row in credit_rows if any(_before(row, sold[row.customer, row.sku, -row.quantity]))]
    assert len(found) == 286


def test_credit_notes_by_what_was_matched(
    credit_parts: list[CreditDraft], credit_rows: list[Row], sample: Sample
) -> None:
    goods_parts: defaultdict[str, set[bool]] = defaultdict(set)
    for part in credit_parts:
        if part.lines:
            goods_parts[part.document].add(part.order is not None)

    notes = [record for record in sample.records if record.kind == "credit_note"]
    assert len({row.invoice for row in credit_rows}) == 330
    assert len(notes) - 330 == 36
    assert sum(found == {True} for found in goods_parts.values()) == 199
    assert sum(found == {False} for found in goods_parts.values()) == 106


def test_orders_touched_and_credited_in_full(
    credit_parts: list[CreditDraft], orders: list[OrderDraft]
) -> None:
    given_back: Counter[str] = Counter()
    for part in credit_parts:
        if part.order and part.lines:
            given_back[part.order] += sum(line.quantity for line in part.lines)
    pieces = {
        order.reference: sum(line.quantity for line in order.lines if line.kind == "goods")
        for order in orders
    }

    assert len(given_back) == 264
    assert sum(pieces[order] == back for order, back in given_back.items()) == 14


def test_what_the_goods_of_credit_notes_are_worth(credit_parts: list[CreditDraft]) -> None:
    assert sum(line.amount_minor for part in credit_parts for line in part.lines) == 28_716_994
    assert all(
        part.amount_minor == part.money_minor + sum(line.amount_minor for line in part.lines)
        for part in credit_parts
    )


def test_no_order_gives_back_more_than_it_sold(
    credit_parts: list[CreditDraft], orders: list[OrderDraft]
) -> None:
    left: Counter[tuple[str, str]] = Counter()
    for order in orders:
        for sold in order.lines:
            left[order.reference, sold.sku] += sold.quantity
    for part in credit_parts:
        for back in part.lines:
            if part.order:
                left[part.order, back.sku] -= back.quantity

    assert min(left.values()) == 0


def test_a_scarce_start_refuses_about_one_order_in_fifty(sample: Sample) -> None:
    scarce = sample.survey.scarce_skus("demo")

    refused = sample.survey.orders_with(scarce)
    assert 43 <= len(refused) <= 46  # 2 % of 2,172 are 43.4
    assert not sample.survey.moved_otherwise & set(scarce)
    assert scarce == sample.survey.scarce_skus("demo")
    assert scarce != sample.survey.scarce_skus("another seed")


def _before(row: Row, lines: list[int]) -> list[bool]:
    return [line < row.line for line in lines]
