"""Each quirk of a row is understood, and each row that cannot be understood says why."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from orders.imports.online_retail.kinds import LineKind, kind_of
from orders.imports.online_retail.reading import RawLine
from orders.imports.online_retail.rows import BadRow, Row, parse_row
from tests.orders.imports.builders import Given, order_of, read, reasons


def _understood(given: Given) -> Row:
    row = parse_row(RawLine(2, str(given).encode()))
    assert isinstance(row, Row)
    return row


def test_a_customer_number_written_as_a_float_is_a_number() -> None:
    assert _understood(Given(customer="17850.0")).customer == "17850"
    assert _understood(Given(customer="17850")).customer == "17850"


def test_no_customer_is_a_guest() -> None:
    assert _understood(Given(customer="")).customer == ""


def test_stock_codes_are_one_whatever_their_case() -> None:
    assert _understood(Given(code="85123a")).sku == _understood(Given(code="85123A")).sku == "85123A"


def test_blanks_around_values_go() -> None:
    row = _understood(Given(description="  CREAM CUPID  ", code=" 85123A ", country=" United Kingdom "))

    assert (row.description, row.sku, row.country) == ("CREAM CUPID", "85123A", "GB")


def test_commas_quotes_and_pound_signs_stand_in_descriptions() -> None:
    row = _understood(Given(description='SET/10, "RED", £1 SPOTTY'))

    assert row.description == 'SET/10, "RED", £1 SPOTTY'


def test_prices_are_exact() -> None:
    assert _understood(Given(price="0.001")).price == Decimal("0.001")
    assert _understood(Given(price="2.1")).price == Decimal("2.10")
    assert _understood(Given(price="0.0")).price == 0
    assert _understood(Given(price="-11062.06")).price == Decimal("-11062.06")


def test_times_are_uk_time() -> None:
    assert _understood(Given(at="2010-12-01 08:26:00")).at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert _understood(Given(at="2011-07-01 08:26:00")).at == datetime(2011, 7, 1, 7, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("EIRE", "IE"),
        ("RSA", "ZA"),
        ("Unspecified", "ZZ"),
        ("European Community", "EU"),
        ("Channel Islands", "JE"),
    ],
)
def test_countries_have_codes(name: str, code: str) -> None:
    assert _understood(Given(country=name)).country == code


@pytest.mark.parametrize(
    ("sku", "kind"),
    [
        ("85123", LineKind.GOODS),
        ("85123A", LineKind.GOODS),
        ("15056BL", LineKind.GOODS),
        ("DCGS0076", LineKind.GOODS),
        ("PADS", LineKind.GOODS),
        ("POST", LineKind.SHIPPING),
        ("DOT", LineKind.SHIPPING),
        ("C2", LineKind.SHIPPING),
        ("M", LineKind.MANUAL),
        ("D", LineKind.DISCOUNT),
        ("S", LineKind.SAMPLE),
        ("B", LineKind.BAD_DEBT),
        ("AMAZONFEE", LineKind.FEE),
        ("BANK CHARGES", LineKind.FEE),
        ("CRUK", LineKind.FEE),
        ("GIFT_0001_30", LineKind.VOUCHER),
        ("8512", None),
        ("85123ABC", None),
        ("XYZ", None),
    ],
)
def test_the_stock_code_alone_says_what_a_line_is(sku: str, kind: LineKind | None) -> None:
    assert kind_of(sku) is kind


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (Given(invoice=""), "invoice_wrong"),
        (Given(invoice="X36365"), "invoice_wrong"),
        (Given(code=""), "stock_code_unknown"),
        (Given(code="NOT A CODE"), "stock_code_unknown"),
        (Given(description="x" * 201), "text_wrong"),
        (Given(description="a\x00b"), "text_wrong"),
        (Given(quantity=0), "quantity_wrong"),
        (Given(quantity="six"), "quantity_wrong"),
        (Given(quantity="1.5"), "quantity_wrong"),
        (Given(quantity="9" * 30), "quantity_wrong"),
        (Given(at=""), "date_wrong"),
        (Given(at="2011-02-31 10:00:00"), "date_wrong"),
        (Given(at="31/12/2011"), "date_wrong"),
        (Given(price=""), "price_wrong"),
        (Given(price="NaN"), "price_wrong"),
        (Given(price="1e9"), "price_wrong"),
        (Given(price="1,50"), "price_wrong"),
        (Given(customer="Smith"), "customer_wrong"),
        (Given(country="Atlantis"), "country_unknown"),
        (Given(country=""), "country_unknown"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(given: Given, code: str) -> None:
    row = parse_row(RawLine(7, str(given).encode()))

    assert isinstance(row, BadRow)
    assert (row.line, row.code) == (7, code)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("536365,85123A", "columns_wrong"),
        ("536365,85123A,A,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom,more", "columns_wrong"),
        ('536365,85123A,"never closed,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom', "quotes_wrong"),
        ('536365,85123A,"closed"late,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom', "quotes_wrong"),
    ],
)
def test_a_line_that_does_not_split_still_tells_its_invoice(text: str, code: str) -> None:
    row = parse_row(RawLine(3, text.encode()))

    assert isinstance(row, BadRow)
    assert (row.invoice, row.code) == ("536365", code)


def test_an_order_with_one_unreadable_row_is_left_out_whole(path: Path) -> None:
    records = read(path, Given(), Given(quantity="six"), Given(), Given(invoice="536366"))

    assert reasons(records) == [(2, "invoice_incomplete"), (3, "quantity_wrong"), (4, "invoice_incomplete")]
    assert [record.reference for record in records if record.fact] == ["536366"]


def test_an_open_quote_spoils_one_row_and_not_the_rest_of_the_file(path: Path) -> None:
    records = read(
        path, '536365,85123A,"OPEN,6,2010-12-01 08:26:00,2.55,,United Kingdom', Given(invoice="536366")
    )

    assert reasons(records) == [(2, "quotes_wrong")]
    assert order_of(records[1]).total_minor == 1_530
