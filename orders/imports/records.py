"""What an order file may hold, whatever its format: plain values, money in minor units.

A `Record` stands for one document of the file and accounts for each of its rows: a row was either
taken into `fact` or is named in `reported` with a reason. Nothing here touches the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class BrokenFile(Exception):
    """The file cannot be read on from here. What was read before stays done.

    `code` is stable and safe to match on; `detail` is for a person.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class CreditKind(StrEnum):
    """What a credit note asks for."""

    CANCELLATION = "cancellation"  #: Goods given back before they left the house.
    RETURN = "return"  #: Goods that come back from the customer.
    ALLOWANCE = "allowance"  #: Money only; no goods move.


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """One row that was not imported, and why. `line` is the line of the file, the header being 1."""

    line: int
    document: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDraft:
    """A line of an order: goods, or a voucher that is sold and never shipped.

    `total_minor` is always `quantity * unit_price_minor`.
    """

    sku: str
    name: str
    kind: str
    quantity: int
    unit_price_minor: int
    total_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeDraft:
    """Money on an order with nothing to ship for it."""

    kind: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """An order as the file states it. Its lines and charges sum to `total_minor` exactly.

    `customer` is the shop's own number, or "" for a guest. `country` is an ISO 3166 code; "ZZ" when unstated.
    """

    reference: str
    customer: str
    country: str
    placed_at: datetime
    currency: str
    lines: tuple[LineDraft, ...]
    charges: tuple[ChargeDraft, ...]
    total_minor: int
    goods_minor: int
    charges_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLine:
    """Goods given back: how many, and what is paid back for all of them together."""

    sku: str
    quantity: int
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDraft:
    """The part of a credit note that concerns one order, or none when no order could be found.

    `amount_minor` is what the lines and `money_minor` (allowances without goods) sum to.
    """

    reference: str
    document: str
    order: str | None
    customer: str
    kind: CreditKind
    issued_at: datetime
    currency: str
    lines: tuple[CreditLine, ...]
    money_minor: int
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StockChange:
    """Pieces found (above zero) or written off (below zero), with the reason the file gives."""

    sku: str
    quantity: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentDraft:
    """A stock correction: never an order, no money."""

    reference: str
    at: datetime
    items: tuple[StockChange, ...]


Fact = OrderDraft | tuple[CreditDraft, ...] | AdjustmentDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One document of the file. The lines in `taken` became its fact, those in `reported` were left out.

    `reference` is "" for a row whose document cannot be told. `digest` is equal for equal content.
    """

    reference: str
    kind: str
    digest: str
    fact: Fact | None
    taken: tuple[int, ...]
    reported: tuple[Reported, ...]

    @property
    def rows(self) -> int:
        """Rows of the file that this record accounts for."""
        return len(self.taken) + len(self.reported)


class OrderFile(Protocol):
    """A file of orders, opened anew for each pass. Every pass gives the same records in the same order."""

    def records(self, *, limit: int | None = None) -> Iterator[Record]:
        """Yield the documents in file order, at most `limit`. Raises BrokenFile after the last good one."""
        ...

    @property
    def matches(self) -> Mapping[str, int]:
        """How the rows of credit notes were matched to orders in the present pass."""
        ...

    @property
    def rows_read(self) -> int:
        """Rows of the present pass that records were made of, counted at the reader."""
        ...
