"""What a line stands for. The stock code alone decides."""

from __future__ import annotations

import re
from enum import StrEnum


class LineKind(StrEnum):
    """The kinds of line an invoice may hold."""

    GOODS = "goods"  #: In stock, reserved and shipped.
    SHIPPING = "shipping"  #: Postage and carriage.
    MANUAL = "manual"  #: Typed in by hand; may mean anything.
    DISCOUNT = "discount"  #: Money off.
    FEE = "fee"  #: What banks and market places take; concerns no customer.
    SAMPLE = "sample"  #: Samples given away; book-keeping.
    VOUCHER = "voucher"  #: Sold, with nothing to ship.
    BAD_DEBT = "bad_debt"  #: Written off; book-keeping.


SERVICES = {
    "POST": LineKind.SHIPPING,
    "DOT": LineKind.SHIPPING,
    "C2": LineKind.SHIPPING,
    "M": LineKind.MANUAL,
    "D": LineKind.DISCOUNT,
    "AMAZONFEE": LineKind.FEE,
    "BANK CHARGES": LineKind.FEE,
    "CRUK": LineKind.FEE,
    "S": LineKind.SAMPLE,
    "B": LineKind.BAD_DEBT,
}
GOODS = re.compile(r"\d{5}[A-Z]{0,2}|DCGS.*|PADS", re.ASCII)
BOOK_KEEPING = frozenset({LineKind.FEE, LineKind.SAMPLE, LineKind.BAD_DEBT})


def kind_of(sku: str) -> LineKind | None:
    """Say what a SKU (upper case) stands for; None when it is none of the known codes."""
    if GOODS.fullmatch(sku):
        return LineKind.GOODS
    if sku.startswith("GIFT_"):
        return LineKind.VOUCHER
    return SERVICES.get(sku)
