"""From rows to whole invoices, without holding the file in memory.

The rows of one invoice mostly stand together, but not always: another invoice may stand in between. So an
invoice is closed only when `OPEN_FOR_ROWS` later rows have passed without one of its own. That is more than
the largest invoice known (1,114 rows), so any one invoice may interrupt another. Invoices are given in the
order of their first rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from orders.imports.online_retail.rows import BadRow, Row
from orders.imports.records import BrokenFile

OPEN_FOR_ROWS = 2_000
MOST_ROWS_HELD = 50_000  #: A file that interleaves without end must not fill the memory.


@dataclass(slots=True)
class Invoice:
    """All rows of one invoice. `fault` is "" when the rows are known to be complete and in one place."""

    number: str
    rows: list[Row] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    fault: str = ""
    last_seen: int = 0

    @property
    def size(self) -> int:
        """Rows of the file in this invoice, readable or not."""
        return len(self.rows) + len(self.bad)


class Invoices:
    """Groups one pass of rows. Holds the open invoices and, to notice late rows, the closed ones' numbers."""

    def __init__(self, *, open_for: int = OPEN_FOR_ROWS, hold: int = MOST_ROWS_HELD) -> None:
        self._open_for = open_for
        self._hold = hold
        self._open: dict[str, Invoice] = {}
        self._closed: set[str] = set()
        self._look_at = 0  #: No invoice can be ripe before so many rows were read.
        self.rows_read = 0
        self.rows_held = 0

    def group(self, rows: Iterable[Row | BadRow]) -> Iterator[Invoice]:
        """Yield each invoice once it is closed.

        A row that comes after its invoice was closed is an invoice of its own, with the fault
        `rows_far_apart`. When the file breaks off, what is still open may be incomplete: it is given with the
        fault `file_broken`, then BrokenFile is raised.
        """
        try:
            for row in rows:
                self.rows_read += 1
                if (invoice := self._place(row)) is not None:
                    yield invoice
                if self.rows_read >= self._look_at or self.rows_held > self._hold:
                    yield from self._close_ripe()
        except BrokenFile:
            yield from self._close_all(fault="file_broken")
            raise
        yield from self._close_all()

    def _place(self, row: Row | BadRow) -> Invoice | None:
        """Put a row where it belongs; one that comes too late, or says nothing of its place, stands alone."""
        number = row.invoice
        invoice = self._open.get(number)
        if invoice is None:
            if not number or number in self._closed:
                return _add(Invoice(number, fault="rows_far_apart" if number else ""), row)
            invoice = self._open[number] = Invoice(number)
        _add(invoice, row)
        invoice.last_seen = self.rows_read
        self.rows_held += 1
        return None

    def _close_ripe(self) -> Iterator[Invoice]:
        while self._open:
            first = next(iter(self._open.values()))
            self._look_at = first.last_seen + self._open_for
            if self.rows_read < self._look_at and self.rows_held <= self._hold:
                return
            yield self._close(first)

    def _close_all(self, fault: str = "") -> Iterator[Invoice]:
        for invoice in list(self._open.values()):
            invoice.fault = fault
            yield self._close(invoice)

    def _close(self, invoice: Invoice) -> Invoice:
        del self._open[invoice.number]
        self._closed.add(invoice.number)
        self.rows_held -= invoice.size
        return invoice


def _add(invoice: Invoice, row: Row | BadRow) -> Invoice:
    if isinstance(row, Row):
        invoice.rows.append(row)
    else:
        invoice.bad.append(row)
    return invoice
