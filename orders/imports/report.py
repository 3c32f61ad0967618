"""The report of rows left out: a CSV file that a spreadsheet can open without harm."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from orders.imports.records import Reported

COLUMNS = ("line", "document", "reason", "detail")
#: A cell that begins so would be run as a formula by a spreadsheet.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class _Writer(Protocol):
    def writerow(self, row: Iterable[object], /) -> object: ...


class ReportRefused(Exception):
    """The report cannot be written where it was asked for."""


class Report(Protocol):
    """Takes the rows that were left out."""

    def add(self, rows: Iterable[Reported]) -> None: ...


class NoReport:
    """For imports that were not asked for a report; the tally still counts the reasons."""

    def add(self, rows: Iterable[Reported]) -> None:
        """Keep nothing."""


class CsvReport:
    """Writes each row as it comes, so that a killed import leaves what it knew."""

    def __init__(self, writer: _Writer) -> None:
        self._writer = writer

    def add(self, rows: Iterable[Reported]) -> None:
        """Append rows, cells neutralised."""
        for row in rows:
            self._writer.writerow([row.line, neutral(row.document), neutral(row.code), neutral(row.detail)])


@contextmanager
def opened_report(path: Path | None) -> Iterator[Report]:
    """A report to a new file, or to nowhere. Raises ReportRefused if the file cannot be written."""
    if path is None:
        yield NoReport()
        return
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise ReportRefused(f"{path}: {error.strerror}") from error
    with file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        yield CsvReport(writer)


def neutral(cell: str) -> str:
    """The cell with a quote before it if a spreadsheet would take it for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
