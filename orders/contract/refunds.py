"""What happens to one request for a refund."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from orders.contract.shapes import RefundedPieces
from sagas.events import Event, register_event


@dataclass(frozen=True, kw_only=True)
class RefundRequestEvent(Event):
    """What every fact about one request for a refund says. Its stream is that of `request_id`."""

    request_id: UUID
    order_id: UUID
    shop_id: UUID
    amount_minor: int
    currency: str


@register_event("orders.RefundAsked", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundAsked(RefundRequestEvent):
    """Somebody wants money of an order to go back. With `needs_approval` a second person decides first.

    A line is {position, sku, quantity, amount_minor}; there is none if an amount was asked for. Who asked and why is
    in the metadata.
    """

    lines: tuple[Annotated[dict[str, Any], RefundedPieces], ...]
    needs_approval: bool


@register_event("orders.RefundApproved", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundApproved(RefundRequestEvent):
    """A second person said yes; saga `saga_id` pays it back."""

    saga_id: UUID


@register_event("orders.RefundDeclined", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundDeclined(RefundRequestEvent):
    """A second person said no, or that nothing of it went back. Nothing moves. Final."""

    reason: str


@register_event("orders.RefundEnded", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundEnded(RefundRequestEvent):
    """Its saga is through: `refunded_minor` was paid back, `credited_minor` is credit, `owed_minor` is still owed.

    All three are zero if it was refused: the customer's bank had given them the money already.
    """

    refunded_minor: int
    credited_minor: int
    owed_minor: int


@register_event("orders.RefundClosed", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class RefundClosed(RefundRequestEvent):
    """A person has ended a request that was owed and that nobody was paying: `dropped_minor` is owed no more. Final."""

    dropped_minor: int
    reason: str
