"""Rows become whole invoices, though others may stand in between, and memory stays bounded."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from orders.imports.online_retail.invoices import Invoice, Invoices
from orders.imports.online_retail.kinds import LineKind
from orders.imports.online_retail.rows import BadRow, Row


def _rows(*invoices: str) -> list[Row | BadRow]:
    at = datetime(2011, 1, 4, 10, 0, tzinfo=UTC)
    return [
        Row(line, invoice, "85123A", LineKind.GOODS, "", 1, at, Decimal(1), "", "GB")
        for line, invoice in enumerate(invoices, 2)
    ]


def _shape(invoices: list[Invoice]) -> list[tuple[str, int, str]]:
    return [(invoice.number, invoice.size, invoice.fault) for invoice in invoices]


def test_an_invoice_in_two_runs_stays_one() -> None:
    given = list(Invoices().group(_rows("542806", "542806", "C542805", "542806", "542807")))

    assert _shape(given) == [("542806", 3, ""), ("C542805", 1, ""), ("542807", 1, "")]


def test_invoices_come_in_the_order_of_their_first_rows() -> None:
    given = list(Invoices(open_for=2).group(_rows("1", "2", "1", "2", "1", "3", "3", "4")))

    assert _shape(given) == [("1", 3, ""), ("2", 2, ""), ("3", 2, ""), ("4", 1, "")]


def test_an_invoice_is_given_as_soon_as_enough_other_rows_have_passed() -> None:
    invoices = Invoices(open_for=3)
    rows = iter(_rows("1", "2", "2", "2", "2", "2"))

    first = next(invoices.group(rows))

    assert (first.number, invoices.rows_read, invoices.rows_held) == ("1", 4, 3)


def test_a_row_too_far_from_its_invoice_is_told_apart() -> None:
    given = list(Invoices(open_for=2).group(_rows("1", "2", "2", "2", "1")))

    assert _shape(given) == [("1", 1, ""), ("1", 1, "rows_far_apart"), ("2", 3, "")]


def test_endless_interleaving_is_cut_off_at_the_bound() -> None:
    invoices = Invoices(open_for=10, hold=6)

    held = [invoices.rows_held for _ in invoices.group(_rows(*["1", "2", "3"] * 40))]

    assert max(held) <= 6
    assert invoices.rows_read == 120


def test_a_row_that_does_not_name_its_invoice_stands_alone() -> None:
    given = list(Invoices().group([BadRow(2, "", "columns_wrong", ""), *_rows("1"), BadRow(4, "1", "x", "")]))

    assert _shape(given) == [("", 1, ""), ("1", 2, "")]
