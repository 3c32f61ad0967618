"""What lines, charges and pieces look like inside events."""

from __future__ import annotations

from typing import TypedDict


class PlacedLine(TypedDict):
    """A line as it was ordered."""

    position: int
    sku: str
    name: str
    kind: str
    quantity: int
    unit_price_minor: int
    tax_minor: int
    discount_minor: int
    total_minor: int


class Charge(TypedDict):
    """Money on the order beside its lines."""

    kind: str
    amount_minor: int


class GivenBack(TypedDict):
    """Pieces of one line that were cancelled or returned."""

    position: int
    sku: str
    quantity: int


class Inspected(TypedDict):
    """What an inspection says of one line: `restock` of the accepted pieces go back on the shelf."""

    position: int
    sku: str
    accepted: int
    rejected: int
    restock: int
    reason: str


class RefundedPieces(GivenBack):
    """Pieces of one line whose money goes back, and what they are worth together."""

    amount_minor: int


class ClaimedPieces(GivenBack):
    """Pieces of one line that go in one parcel."""

    kind: str


class Pieces(TypedDict):
    """Pieces of one SKU."""

    sku: str
    quantity: int


class AdjustedPieces(Pieces):
    """Pieces found or written off."""

    reason: str


class CreditedPieces(Pieces):
    """Pieces of a credit note, and what they are worth."""

    amount_minor: int
