"""Small files of the "Online Retail" format, made row by row."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from orders.imports.online_retail import OnlineRetailFile
from orders.imports.online_retail.rows import COLUMNS
from orders.imports.records import AdjustmentDraft, CreditDraft, OrderDraft, Record

HEADER = ",".join(COLUMNS)


@dataclass(frozen=True, kw_only=True)
class Given:
    """A row as it stands in the file, ordinary unless told otherwise."""

    invoice: str = "536365"
    code: str = "85123A"
    description: str = "WHITE HANGING HEART T-LIGHT HOLDER"
    quantity: str | int = 6
    at: str = "2010-12-01 08:26:00"
    price: str = "2.55"
    customer: str = "17850.0"
    country: str = "United Kingdom"

    def __str__(self) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(
            [
                self.invoice,
                self.code,
                self.description,
                self.quantity,
                self.at,
                self.price,
                self.customer,
                self.country,
            ]
        )
        return text.getvalue()


def write(path: Path, *rows: Given | str) -> Path:
    """Write a plain file with a header and these rows."""
    path.write_text("\n".join([HEADER, *map(str, rows), ""]), encoding="utf-8")
    return path


def read(path: Path, *rows: Given | str) -> list[Record]:
    """Write the rows to a file and read them back as records."""
    return list(OnlineRetailFile(write(path, *rows)).records())


def order_of(record: Record) -> OrderDraft:
    """The order a record must hold."""
    assert isinstance(record.fact, OrderDraft)
    return record.fact


def credits_of(record: Record) -> tuple[CreditDraft, ...]:
    """The parts of the credit note a record must hold."""
    assert isinstance(record.fact, tuple)
    return record.fact


def adjustment_of(record: Record) -> AdjustmentDraft:
    """The stock adjustment a record must hold."""
    assert isinstance(record.fact, AdjustmentDraft)
    return record.fact


def reasons(records: list[Record]) -> list[tuple[int, str]]:
    """What was reported: line and code, in file order."""
    return sorted((row.line, row.code) for record in records for row in record.reported)
