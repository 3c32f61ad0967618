"""What an invoice is: the first rule that fits."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from orders.imports.online_retail.kinds import LineKind
from orders.imports.online_retail.rows import Row


class InvoiceClass(StrEnum):
    """The classes of invoice. The value is also the reason under which the ones not imported are reported."""

    LEDGER_ADJUSTMENT = "ledger_adjustment"  #: Bad debt written off; book-keeping.
    CREDIT_NOTE = "credit_note"  #: Goods or money given back.
    ORDER = "order"  #: Goods sold for money.
    STOCK_ADJUSTMENT = "stock_adjustment"  #: Pieces found or written off.
    FREE_ORDER = "free_order"  #: Goods sent out at price 0; the money, if any, is in a manual line.
    VOUCHER_ONLY = "voucher_only"  #: Nothing but vouchers.
    CHARGE_ONLY = "charge_only"  #: Postage, manual lines, fees, samples, without goods.
    UNREADABLE = "unreadable"  #: No row of it can be understood.


def classify(number: str, rows: Sequence[Row]) -> InvoiceClass:
    """Say what an invoice is from its number and its readable rows."""
    if not rows:
        return InvoiceClass.UNREADABLE
    if number.startswith("A"):
        return InvoiceClass.LEDGER_ADJUSTMENT
    if number.startswith("C"):
        return InvoiceClass.CREDIT_NOTE
    return _classify_plain(rows)


def _classify_plain(rows: Sequence[Row]) -> InvoiceClass:
    delivered = [row for row in rows if row.kind is LineKind.GOODS and row.quantity > 0]
    if any(row.price > 0 for row in delivered):
        return InvoiceClass.ORDER
    if all(row.price == 0 and not row.customer for row in rows):
        return InvoiceClass.STOCK_ADJUSTMENT
    if delivered:
        return InvoiceClass.FREE_ORDER
    if any(row.kind is LineKind.VOUCHER for row in rows):
        return InvoiceClass.VOUCHER_ONLY
    return InvoiceClass.CHARGE_ONLY
