"""An invoice becomes an order whose lines and charges sum to its total, to the penny."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orders.imports.records import ChargeDraft, LineDraft
from tests.orders.imports.builders import Given, adjustment_of, order_of, read, reasons


def test_an_order_with_everything(path: Path) -> None:
    [record] = read(
        path,
        Given(quantity=6, price="2.55"),
        Given(code="84879", description="BIRD ORNAMENT", quantity=2, price="0.0"),
        Given(code="GIFT_0001_20", description="Voucher", quantity=1, price="16.67"),
        Given(code="POST", description="POSTAGE", quantity=3, price="18.0"),
        Given(code="m", description="Manual", quantity=1, price="1.25"),
    )

    order = order_of(record)
    assert (order.reference, order.customer, order.country, order.currency) == (
        "536365",
        "17850",
        "GB",
        "GBP",
    )
    assert order.lines == (
        LineDraft(
            sku="85123A",
            name="WHITE HANGING HEART T-LIGHT HOLDER",
            kind="goods",
            quantity=6,
            unit_price_minor=255,
            total_minor=1_530,
        ),
        LineDraft(
            sku="84879",
            name="BIRD ORNAMENT",
            kind="goods",
            quantity=2,
            unit_price_minor=0,
            total_minor=0,
        ),
        LineDraft(
            sku="GIFT_0001_20",
            name="Voucher",
            kind="voucher",
            quantity=1,
            unit_price_minor=1_667,
            total_minor=1_667,
        ),
    )
    assert order.charges == (
        ChargeDraft(kind="shipping", amount_minor=5_400),
        ChargeDraft(kind="manual", amount_minor=125),
    )
    assert (order.goods_minor, order.charges_minor, order.total_minor) == (3_197, 5_525, 8_722)


def test_the_same_row_twice_is_two_lines(path: Path) -> None:
    [record] = read(path, Given(), Given())

    assert [line.quantity for line in order_of(record).lines] == [6, 6]
    assert order_of(record).total_minor == 3_060


def test_the_total_is_rounded_once_and_the_rest_is_a_charge(path: Path) -> None:
    [record] = read(
        path, *(Given(code="PADS", quantity=1, price="0.001") for _ in range(7)), Given(quantity=1)
    )

    order = order_of(record)
    assert order.total_minor == 256  # 7 × 0.001 + 2.55 = 2.557
    assert [line.total_minor for line in order.lines] == [0] * 7 + [255]
    assert order.charges == (ChargeDraft(kind="rounding", amount_minor=1),)


def test_half_a_penny_is_rounded_up(path: Path) -> None:
    [record] = read(path, Given(quantity=1, price="0.005"))

    assert order_of(record).total_minor == 1


def test_an_order_was_placed_at_its_earliest_row(path: Path) -> None:
    [record] = read(path, Given(at="2010-12-01 08:27:00"), Given(at="2010-12-01 08:26:00"))

    assert order_of(record).placed_at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)


def test_a_customer_may_order_from_two_countries(path: Path) -> None:
    records = read(path, Given(country="Belgium"), Given(invoice="536366", country="Spain"))

    assert [order_of(record).country for record in records] == ["BE", "ES"]


def test_guests_and_unstated_countries_are_orders_too(path: Path) -> None:
    [record] = read(path, Given(customer="", country="Unspecified"))

    assert (order_of(record).customer, order_of(record).country) == ("", "ZZ")


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (Given(customer="12345.0"), "customers_differ"),
        (Given(customer=""), "customers_differ"),
        (Given(country="France"), "countries_differ"),
        (Given(quantity=-1), "quantity_negative"),
        (Given(code="M", price="-1.00"), "price_negative"),
        (Given(quantity=999_999_999, price="999999999.0"), "total_wrong"),
        (Given(code="NEW THING"), "invoice_incomplete"),
    ],
)
def test_an_order_that_contradicts_itself_is_left_out_whole(path: Path, second: Given, code: str) -> None:
    [record] = read(path, Given(), second)

    assert record.fact is None
    assert (2, code) in reasons([record])
    assert len(record.taken) == 0


def test_a_stock_adjustment_is_no_order(path: Path) -> None:
    adjustment = {"invoice": "536589", "customer": "", "price": "0.0", "at": "2010-12-01 16:50:00"}

    [record] = read(
        path,
        Given(code="21777", description="damaged", quantity=-10, **adjustment),
        Given(code="21778", description="", quantity=3, **adjustment),
        Given(code="M", description="Manual", quantity=1, **adjustment),
    )

    found = [(item.sku, item.quantity, item.reason) for item in adjustment_of(record).items]
    assert found == [("21777", -10, "damaged"), ("21778", 3, "")]
    assert reasons([record]) == [(4, "not_goods")]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (
            [Given(invoice="A563185", code="B", quantity=1, price="11062.06", customer="")],
            "ledger_adjustment",
        ),
        (
            [Given(invoice="A563186", code="B", quantity=1, price="-11062.06", customer="")],
            "ledger_adjustment",
        ),
        ([Given(code="POST", price="18.0")], "charge_only"),
        ([Given(code="AMAZONFEE", quantity=1, price="13541.33", customer="")], "charge_only"),
        ([Given(code="GIFT_0001_10", quantity=1, price="8.33")], "voucher_only"),
        ([Given(price="0.0")], "free_order"),
        ([Given(price="0.0", customer=""), Given(code="M", price="5.0", customer="")], "free_order"),
    ],
)
def test_what_is_neither_order_nor_credit_nor_stock_is_reported(
    path: Path, rows: list[Given], code: str
) -> None:
    [record] = read(path, *rows)

    assert (record.kind, record.fact, len(record.taken)) == (code, None, 0)
    assert {reason for _, reason in reasons([record])} == {code}


def test_equal_content_has_an_equal_digest_wherever_it_stands(path: Path) -> None:
    first = read(path, Given(price="2.50"))[0]
    moved = read(path, Given(invoice="536364"), Given(price="2.5"))[1]
    other = read(path, Given(price="2.51"))[0]

    assert first.digest == moved.digest
    assert first.digest != other.digest


def test_a_limit_takes_whole_invoices_and_counts_only_their_rows(path: Path) -> None:
    from orders.imports.online_retail import OnlineRetailFile

    read(path, Given(), Given(), Given(invoice="536366"), Given(invoice="536367"))
    file = OnlineRetailFile(path)

    records = list(file.records(limit=2))

    assert [record.reference for record in records] == ["536365", "536366"]
    assert file.rows_read == sum(record.rows for record in records) == 3
