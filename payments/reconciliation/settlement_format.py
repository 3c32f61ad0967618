"""Reading a settlement report: a CSV file, one movement a line. docs/reconciliation.md describes it.

The whole file is looked through before anything is stored, in one pass and without holding it.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from payments.reconciliation.rows import SettlementLine
from sagas.money import decimals

COLUMNS = ("payout_id", "object_id", "type", "gross", "fee", "net", "currency", "date")
Type = SettlementLine.Type
#: So many errors are reported; a file that is wrong throughout says it no better with more.
MOST_ERRORS = 50
LARGEST = 2**62
CURRENCY = re.compile(r"[A-Z]{3}")
AMOUNT = re.compile(r"-?\d{1,15}(?:\.\d{1,4})?")
ID = re.compile(r"[!-~]{1,100}")


class BadSettlement(Exception):
    """The file is not one that can be taken in. `errors` name the lines; nothing was stored."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__(errors[0])
        self.errors = errors


@dataclass(frozen=True)
class Line:
    """One movement. Amounts in minor units of `currency`; gross less fee is net."""

    number: int
    payout_id: str
    object_id: str
    type: str
    gross_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    day: date

    @property
    def identity(self) -> str:
        """What two lines about one movement have in common. A payment is captured once, a refund paid once."""
        if self.type in (Type.CAPTURE, Type.REFUND):
            return f"{self.type} {self.object_id}"
        return f"{self.type} {self.payout_id} {self.object_id} {self.gross_minor} {self.currency}"


@dataclass(frozen=True)
class Looked:
    """What looking through a file told."""

    sha256: str
    lines: int
    first_day: date
    last_day: date


def look_through(path: Path) -> Looked:
    """Read the file once, storing nothing. Raises BadSettlement with every bad line, up to a bound."""
    errors: list[str] = []
    count, first, last = 0, date.max, date.min
    for line in _parsed(path, errors.append):
        count, first, last = count + 1, min(first, line.day), max(last, line.day)
        if len(errors) >= MOST_ERRORS:
            break
    if not count and not errors:
        errors.append("The file has no lines.")
    if errors:
        raise BadSettlement(errors[:MOST_ERRORS])
    return Looked(_digest(path), count, first, last)


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file that was looked through. Raises BadSettlement if it has changed since."""

    def changed(error: str) -> None:
        raise BadSettlement([f"The file has changed: {error}"])

    return _parsed(path, changed)


def _parsed(path: Path, bad: Callable[[str], None]) -> Iterator[Line]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _lines(csv.reader(file, strict=True), bad)
    except OSError as error:
        bad(f"{path}: {error.strerror}")
    except (UnicodeDecodeError, csv.Error) as error:
        bad(f"This is no CSV file in UTF-8: {error}")


def _lines(reader: Iterator[list[str]], bad: Callable[[str], None]) -> Iterator[Line]:
    header = tuple(name.strip() for name in next(reader, []))
    if header != COLUMNS:
        bad(f"line 1: the columns must be {','.join(COLUMNS)}")
        return
    for row in reader:
        number = getattr(reader, "line_num", 0)
        try:
            if row:
                yield _line(number, row)
        except ValueError as error:
            bad(f"line {number}: {error}")


def _line(number: int, row: list[str]) -> Line:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} cells instead of {len(COLUMNS)}")
    payout, object_id, kind, gross, fee, net, currency, day = (cell.strip() for cell in row)
    if not ID.fullmatch(payout) or not ID.fullmatch(object_id):
        raise ValueError("payout_id and object_id must be 1 to 100 printable characters without spaces")
    if kind not in Type.values:
        raise ValueError(f"type {kind!r} is none of {', '.join(Type.values)}")
    if not CURRENCY.fullmatch(currency):
        raise ValueError(f"currency {currency!r} is no ISO code in capitals")
    line = Line(
        number, payout, object_id, kind, _minor("gross", gross, currency), _minor("fee", fee, currency),
        _minor("net", net, currency), currency, _day(day),
    )  # fmt: skip
    _check(line)
    return line


def _check(line: Line) -> None:
    if line.gross_minor - line.fee_minor != line.net_minor:
        raise ValueError("net is not gross less fee")
    if line.type == Type.CAPTURE and line.gross_minor <= 0:
        raise ValueError("the gross of a capture must be above zero")
    if line.type == Type.REFUND and line.gross_minor >= 0:
        raise ValueError("the gross of a refund must be below zero")
    if line.type == Type.FEE and line.gross_minor:
        raise ValueError("the gross of a fee must be zero: the fee stands in its own column")


def _minor(name: str, text: str, currency: str) -> int:
    """Exact: no float is involved."""
    if not AMOUNT.fullmatch(text):
        raise ValueError(f"{name} {text!r} is no amount: write -12.34")
    try:
        minor = Decimal(text).scaleb(decimals(currency))
    except InvalidOperation:
        raise ValueError(f"{name} {text!r} is no amount") from None
    if minor != int(minor) or abs(minor) > LARGEST:
        raise ValueError(f"{name} {text!r}: {currency} has {decimals(currency)} decimals")
    return int(minor)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"date {text!r} is not like 2026-01-31") from None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
