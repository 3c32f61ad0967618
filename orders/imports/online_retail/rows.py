"""From a line of the file to a normalised row, or to a reason why there is none."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from orders.imports.online_retail.countries import COUNTRY_CODES
from orders.imports.online_retail.kinds import LineKind, kind_of
from orders.imports.online_retail.reading import LONGEST_LINE, RawLine, numbered_lines, opened
from orders.imports.records import BrokenFile

COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
SHOP_TIME = ZoneInfo("Europe/London")
INVOICE = re.compile(r"[AC]?\d{1,12}", re.ASCII)
CUSTOMER = re.compile(r"(\d{1,18})(?:\.0+)?", re.ASCII)
INTEGER = re.compile(r"-?\d{1,9}", re.ASCII)
PRICE = re.compile(r"-?\d{1,9}(?:\.\d{1,6})?", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
LONGEST_TEXT = 200
REMEMBERED = 4096  #: Values repeat from row to row; understanding each once halves the work.


class Row(NamedTuple):
    """One line of an invoice, trimmed and typed. `line` is its place in the file, the header being 1."""

    line: int
    invoice: str
    sku: str
    kind: LineKind
    description: str
    quantity: int
    at: datetime
    price: Decimal
    customer: str
    country: str


class BadRow(NamedTuple):
    """A line that cannot be understood. `invoice` is "" unless the line still tells where it belongs."""

    line: int
    invoice: str
    code: str
    detail: str


class _Unreadable(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def read_rows(path: Path) -> Iterator[Row | BadRow]:
    """Yield every row of the file; empty lines are none. Raises BrokenFile when it cannot be read (on)."""
    with opened(path) as file:
        lines = numbered_lines(file)
        _check_header(next(lines, None))
        for line in lines:
            if line.content.strip():
                yield parse_row(line)


def parse_row(line: RawLine) -> Row | BadRow:
    """Understand one line. Never raises: what cannot be understood is a BadRow with a stable code."""
    try:
        return _row(line.number, _values(line))
    except _Unreadable as fault:
        return BadRow(line.number, _invoice_in(line.content), fault.code, fault.detail)


def _check_header(line: RawLine | None) -> None:
    if line is None:
        raise BrokenFile("file_empty", "the file has no header line")
    try:
        names = [name.strip() for name in line.content.decode("utf-8-sig").split(",")]
    except UnicodeDecodeError as error:
        raise BrokenFile("encoding_wrong", "the header line is not UTF-8 text") from error
    if tuple(name.strip('"') for name in names) != COLUMNS:
        found = ", ".join(names)[:LONGEST_TEXT]
        raise BrokenFile("columns_wrong", f"expected the columns {', '.join(COLUMNS)}; found {found}")


def _values(line: RawLine) -> list[str]:
    if line.cut:
        raise _Unreadable("row_too_long", f"more than {LONGEST_LINE} bytes in one line")
    try:
        text = line.content.decode()
    except UnicodeDecodeError as error:
        raise _Unreadable("encoding_wrong", f"byte {error.start + 1} of the line is not UTF-8") from error
    if "\x00" in text:
        raise _Unreadable("text_wrong", "a NUL character")
    values = _split(text.rstrip("\r\n"))
    if len(values) != len(COLUMNS):
        raise _Unreadable("columns_wrong", f"{len(values)} values instead of {len(COLUMNS)}")
    return values


def _split(text: str) -> list[str]:
    """Split at commas. A quoted value ends on its own line in this format: an open quote spoils one row."""
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise _Unreadable("quotes_wrong", str(error)) from error


def _row(number: int, values: list[str]) -> Row:
    invoice, code, description, quantity, moment, price, customer, country = map(str.strip, values)
    sku = code.upper()
    return Row(
        number,
        _invoice(invoice),
        sku,
        _kind(sku),
        _text(description),
        _quantity(quantity),
        _moment(moment),
        _price(price),
        _customer(customer),
        _country(country),
    )


@lru_cache(maxsize=REMEMBERED)
def _invoice(text: str) -> str:
    if not INVOICE.fullmatch(text.upper()):
        raise _Unreadable("invoice_wrong", f"InvoiceNo is {text[:40]!r}")
    return text.upper()


def _invoice_in(content: bytes) -> str:
    start = content[:40].split(b",", 1)[0].decode("ascii", "replace").strip().strip('"').upper()
    return start if INVOICE.fullmatch(start) else ""


@lru_cache(maxsize=REMEMBERED)
def _kind(sku: str) -> LineKind:
    kind = kind_of(sku) if len(sku) <= 40 else None
    if kind is None:
        raise _Unreadable("stock_code_unknown", f"StockCode is {sku[:40]!r}")
    return kind


def _text(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise _Unreadable("text_wrong", f"Description has more than {LONGEST_TEXT} characters")
    return text


def _quantity(text: str) -> int:
    if not INTEGER.fullmatch(text) or int(text) == 0:
        raise _Unreadable("quantity_wrong", f"Quantity is {text[:40]!r}")
    return int(text)


@lru_cache(maxsize=REMEMBERED)
def _moment(text: str) -> datetime:
    if MOMENT.fullmatch(text):
        with suppress(ValueError):  # the 31st of February
            return datetime.fromisoformat(text).replace(tzinfo=SHOP_TIME)
    raise _Unreadable("date_wrong", f"InvoiceDate is {text[:40]!r}")


@lru_cache(maxsize=REMEMBERED)
def _price(text: str) -> Decimal:
    if not PRICE.fullmatch(text):
        raise _Unreadable("price_wrong", f"UnitPrice is {text[:40]!r}")
    return Decimal(text)


@lru_cache(maxsize=REMEMBERED)
def _customer(text: str) -> str:
    if not text:
        return ""
    found = CUSTOMER.fullmatch(text)
    if not found:
        raise _Unreadable("customer_wrong", f"CustomerID is {text[:40]!r}")
    return found.group(1)


def _country(text: str) -> str:
    if text not in COUNTRY_CODES:
        raise _Unreadable("country_unknown", f"Country is {text[:40]!r}")
    return COUNTRY_CODES[text]
