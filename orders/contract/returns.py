"""What happens to one return."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from orders.contract.order import OrderEvent
from orders.contract.shapes import GivenBack, Inspected, Pieces
from sagas.events import register_event


@dataclass(frozen=True, kw_only=True)
class ReturnEvent(OrderEvent):
    """What every fact about one return says. Its stream is `return_id`; `number` counts the returns of an order."""

    return_id: UUID
    number: int


@register_event("orders.ReturnRequested", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ReturnRequested(ReturnEvent):
    """Pieces are to come back until `due_at`; saga `saga_id` waits for them. A line is {position, sku, quantity}.

    `origin` is shop, staff, cancellation (of what had been handed over) or carrier (a parcel that came back).
    `late` says that a person let it pass after the time for returns.
    """

    saga_id: UUID
    origin: str
    reason: str
    late: bool
    due_at: datetime
    lines: tuple[Annotated[dict[str, Any], GivenBack], ...]


@register_event("orders.ReturnReceived", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ReturnReceived(ReturnEvent):
    """This came, whatever had been asked: pieces of lines of the order, and `unexpected` ones that are none of it."""

    lines: tuple[Annotated[dict[str, Any], GivenBack], ...]
    unexpected: tuple[Annotated[dict[str, Any], Pieces], ...]


@register_event("orders.ReturnInspected", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ReturnInspected(ReturnEvent):
    """A person has decided, line by line. A line is {position, sku, accepted, rejected, restock, reason}."""

    lines: tuple[Annotated[dict[str, Any], Inspected], ...]


@register_event("orders.ReturnWithdrawn", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ReturnWithdrawn(ReturnEvent):
    """Nothing comes of it and nothing was refunded. Final."""

    code: str


@register_event("orders.ReturnClosed", for_shops=True)
@dataclass(frozen=True, kw_only=True)
class ReturnClosed(ReturnEvent):
    """The accepted pieces are counted as returned; `refund_minor` was paid back and `credit_minor` is owed. Final."""

    lines: tuple[Annotated[dict[str, Any], GivenBack], ...]
    refund_minor: int
    credit_minor: int
