"""One file of the format as a stream of records that account for every row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from pathlib import Path

from orders.imports.online_retail.classes import InvoiceClass, classify
from orders.imports.online_retail.credits import build_credit, without_book_keeping
from orders.imports.online_retail.faults import Contradictory
from orders.imports.online_retail.invoices import Invoice, Invoices
from orders.imports.online_retail.kinds import LineKind
from orders.imports.online_retail.matching import Order, Rule, SalesBook
from orders.imports.online_retail.order import build_order
from orders.imports.online_retail.rows import BadRow, Row, read_rows
from orders.imports.records import AdjustmentDraft, Fact, Record, Reported, StockChange


class OnlineRetailFile:
    """A file of the "Online Retail" format. Reading it again gives the same records in the same order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._invoices = Invoices()
        self._book = SalesBook()

    @property
    def rows_read(self) -> int:
        """Rows of the present pass, counted as they were read, less those read ahead and not used."""
        return self._invoices.rows_read - self._invoices.rows_held

    @property
    def matches(self) -> Mapping[str, int]:
        """How often each rule has matched a row of a credit note in the present pass."""
        return {rule.name.lower(): self._book.rules[rule] for rule in Rule}

    def records(self, *, limit: int | None = None) -> Iterator[Record]:
        """Yield the invoices in the order of their first rows, at most `limit`.

        Raises BrokenFile when the file cannot be read on; by then every row read has been accounted for.
        """
        self._invoices, self._book = Invoices(), SalesBook()
        desk = _Desk(self._book)
        for place, invoice in enumerate(self._invoices.group(read_rows(self.path)), 1):
            yield desk.record(invoice)
            if place == limit:
                return


class _Desk:
    """Turns invoices into records, one after the other, with the sales so far in mind."""

    def __init__(self, book: SalesBook) -> None:
        self._book = book

    def record(self, invoice: Invoice) -> Record:
        """Account for one invoice."""
        kind = classify(invoice.number, invoice.rows)
        left_out: list[Reported] = [_unreadable(row) for row in invoice.bad]
        fact: Fact | None = None
        try:
            _check_whole(invoice)
            fact, others = self._fact(kind, invoice)
            left_out += others
        except Contradictory as fault:
            left_out += [_reported(row, fault.code, fault.detail) for row in invoice.rows]
        not_taken = {row.line for row in left_out}
        return Record(
            reference=invoice.number,
            kind=kind.value,
            digest=_digest(invoice.rows),
            fact=fact,
            taken=tuple(row.line for row in invoice.rows if row.line not in not_taken),
            reported=tuple(left_out),
        )

    def _fact(self, kind: InvoiceClass, invoice: Invoice) -> tuple[Fact | None, list[Reported]]:
        match kind:
            case InvoiceClass.ORDER:
                return self._order(invoice), []
            case InvoiceClass.CREDIT_NOTE:
                return self._credit(invoice)
            case InvoiceClass.STOCK_ADJUSTMENT:
                return _adjustment(invoice)
            case InvoiceClass.FREE_ORDER:
                self._remember(invoice, imported=False)
        return None, [_reported(row, kind.value, "") for row in invoice.rows]

    def _order(self, invoice: Invoice) -> Fact:
        draft = build_order(invoice.number, invoice.rows)
        self._remember(invoice, imported=True)
        return draft

    def _credit(self, invoice: Invoice) -> tuple[Fact | None, list[Reported]]:
        kept, books = without_book_keeping(invoice.rows)
        reported = [_reported(row, row.kind.value, "book-keeping, concerns no customer") for row in books]
        return (build_credit(invoice.number, kept, self._book) if kept else None), reported

    def _remember(self, invoice: Invoice, *, imported: bool) -> None:
        placed_at = min(row.at for row in invoice.rows).astimezone(UTC)
        self._book.remember(Order(invoice.number, placed_at, imported), invoice.rows)


def _check_whole(invoice: Invoice) -> None:
    """An invoice with a row missing has a total nobody stated: it is left out until the file is mended."""
    if invoice.bad and invoice.rows:
        raise Contradictory("invoice_incomplete", f"line {invoice.bad[0].line} of it is unreadable")
    if invoice.fault == "rows_far_apart":
        raise Contradictory(invoice.fault, "the rest of this invoice stands too far away in the file")
    if invoice.fault:
        raise Contradictory(invoice.fault, "the file breaks off before this invoice is known to be complete")


def _adjustment(invoice: Invoice) -> tuple[Fact | None, list[Reported]]:
    goods = [row for row in invoice.rows if row.kind is LineKind.GOODS]
    others = [row for row in invoice.rows if row.kind is not LineKind.GOODS]
    items = tuple(StockChange(sku=row.sku, quantity=row.quantity, reason=row.description) for row in goods)
    reported = [_reported(row, "not_goods", "a stock correction of something not in stock") for row in others]
    if not goods:
        return None, reported
    at = min(row.at for row in goods).astimezone(UTC)
    return AdjustmentDraft(reference=invoice.number, at=at, items=items), reported


def _unreadable(row: BadRow) -> Reported:
    return Reported(line=row.line, document=row.invoice, code=row.code, detail=row.detail)


def _reported(row: Row, code: str, detail: str) -> Reported:
    return Reported(line=row.line, document=row.invoice, code=code, detail=detail)


def _digest(rows: Iterable[Row]) -> str:
    """Equal for equal content, wherever in a file it stands and however its prices are written."""
    values = (
        (
            row.invoice,
            row.sku,
            row.description,
            row.quantity,
            row.at,
            row.price.normalize(),
            row.customer,
            row.country,
        )
        for row in rows
    )
    return hashlib.sha256("\n".join("\t".join(map(str, row)) for row in values).encode()).hexdigest()
