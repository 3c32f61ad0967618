"""What a shop brings along: opening stock, adjustments, credit notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from orders.contract.shapes import AdjustedPieces, CreditedPieces, Pieces
from sagas.events import Event, register_event


@register_event("orders.OpeningStockImported")
@dataclass(frozen=True, kw_only=True)
class OpeningStockImported(Event):
    """Goods that stood on the shelf before the first imported order. An item is {sku, quantity}."""

    shop_id: UUID
    batch: str
    location: str
    items: tuple[Annotated[dict[str, Any], Pieces], ...]


@register_event("orders.StockAdjustmentImported")
@dataclass(frozen=True, kw_only=True)
class StockAdjustmentImported(Event):
    """Pieces found (above zero) or written off (below zero). An item is {sku, quantity, reason}."""

    shop_id: UUID
    reference: str
    location: str
    items: tuple[Annotated[dict[str, Any], AdjustedPieces], ...]


@register_event("orders.CreditNoteImported")
@dataclass(frozen=True, kw_only=True)
class CreditNoteImported(Event):
    """A shop's credit note for one order, or for none (`order_id` None: money and goods without an order).

    `kind` is cancellation, return or allowance. A line is {sku, quantity, amount_minor}.
    """

    credit_note_id: UUID
    shop_id: UUID
    reference: str
    order_id: UUID | None
    kind: str
    currency: str
    amount_minor: int
    lines: tuple[Annotated[dict[str, Any], CreditedPieces], ...]


@register_event("orders.CreditNoteApplied", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class CreditNoteApplied(Event):
    """What became of a credit note: `refund_minor` was paid back, `credit_minor` is owed to the customer."""

    credit_note_id: UUID
    shop_id: UUID
    order_id: UUID | None
    outcome: str
    refund_minor: int
    credit_minor: int
