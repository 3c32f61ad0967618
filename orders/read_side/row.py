"""One order as its events show it, in memory: what the fold changes and what a query returns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from uuid import UUID

from orders.states import State

#: The key of an order's cell in the summary: shop, day, country, status, currency.
Cell = tuple[UUID, date, str, str, str]
#: What one order adds to its cell: total, captured, refunded.
Sums = tuple[int, int, int]


@dataclass(slots=True)
class OrderRow:
    """A row of `orders_orderview` without its slot; each field is a column, in the order of `COLUMNS`.

    Until its OrderPlaced was taken in, `version` is 0 and there is no `shop_id`: such a row nobody sees.
    `skus` and `charges` are kept as the text PostgreSQL reads and writes.
    """

    # What a fold has to know of a row: the order, where it is counted, and where each of its streams stands.
    order_id: UUID
    shop_id: UUID | None = None
    placed_on: date | None = None
    country: str = ""
    currency: str = ""
    total_minor: int = 0
    version: int = 0
    state: str = ""
    on_hold: bool = False
    hold_reason: str = ""
    needs_attention: bool = False
    attention_reason: str = ""
    end_code: str = ""
    cancelled_minor: int = 0
    returned_minor: int = 0
    person_id: UUID | None = None
    saga_id: UUID | None = None
    saga_state: str = ""
    progress: int = 0
    payment_id: UUID | None = None
    payment_version: int = 0
    payment_state: str = ""
    authorized_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    reservation_id: UUID | None = None
    stock_version: int = 0
    stock_state: str = ""
    shipment_id: UUID | None = None
    shipment_version: int = 0
    shipment_state: str = ""
    tracking: str = ""
    # When something happened last. A fold only writes them.
    moved_at: datetime | None = None
    confirmed_at: datetime | None = None
    ended_at: datetime | None = None
    handed_over_at: datetime | None = None
    delivered_at: datetime | None = None
    # What is frozen when the order is placed.
    external_reference: str = ""
    goods_minor: int = 0
    charges_minor: int = 0
    fulfilment: str = ""
    pieces: int = 0
    skus: str = "{}"
    charges: str = "[]"
    placed_at: datetime | None = None
    received_at: datetime | None = None

    def counted(self) -> tuple[Cell, Sums] | None:
        """Where it is counted in the summary, and with what. None before it was placed."""
        if self.shop_id is None or self.placed_on is None:
            return None
        cell = (self.shop_id, self.placed_on, self.country, self.state, self.currency)
        return cell, (self.total_minor, self.captured_minor, self.refunded_minor)

    def standing_steps(self) -> int:
        """How many of the six steps stand: placed, authorized, reserved, booked, captured, confirmed.

        What was given back stands no more. Money refunded for goods that came back was captured all the same.
        """
        undone = self.state in _UNDONE
        captured = self.payment_state in _CAPTURED or (self.payment_state == "refunded" and not undone)
        return (
            (self.state in _ACCEPTED)
            + (captured or self.payment_state in _AUTHORIZED)
            + (self.stock_state in _RESERVED)
            + (self.shipment_state in _BOOKED)
            + captured
            + (self.saga_state == "completed" and self.state != "cancelled")
        )


#: Every column but the slot, with its type. First what a fold reads, then times, then what is frozen.
LOADED = {
    "order_id": "uuid", "shop_id": "uuid", "placed_on": "date", "country": "text", "currency": "text",
    "total_minor": "bigint", "version": "int", "state": "text", "on_hold": "boolean", "hold_reason": "text",
    "needs_attention": "boolean", "attention_reason": "text", "end_code": "text", "cancelled_minor": "bigint",
    "returned_minor": "bigint", "person_id": "uuid", "saga_id": "uuid", "saga_state": "text", "progress": "smallint",
    "payment_id": "uuid", "payment_version": "int", "payment_state": "text", "authorized_minor": "bigint",
    "captured_minor": "bigint", "refunded_minor": "bigint", "reservation_id": "uuid", "stock_version": "int",
    "stock_state": "text", "shipment_id": "uuid", "shipment_version": "int", "shipment_state": "text",
    "tracking": "text",
}  # fmt: skip
TIMES = {
    "moved_at": "timestamptz", "confirmed_at": "timestamptz", "ended_at": "timestamptz",
    "handed_over_at": "timestamptz", "delivered_at": "timestamptz",
}  # fmt: skip
FROZEN = {
    "external_reference": "text", "goods_minor": "bigint", "charges_minor": "bigint",
    "fulfilment": "text", "pieces": "int", "skus": "text", "charges": "text", "placed_at": "timestamptz",
    "received_at": "timestamptz",
}  # fmt: skip
COLUMNS = LOADED | TIMES | FROZEN
#: What events after the first may change.
COUNTED_BY = frozenset({"shop_id", "placed_on", "country", "currency", "total_minor"})
CHANGING = {name: kind for name, kind in (LOADED | TIMES).items() if name not in COUNTED_BY}

_ACCEPTED = frozenset(set(State.values) - {State.DRAFT, State.CANCELLED, State.REJECTED})
_UNDONE = frozenset({State.CANCELLING, State.CANCELLED, State.REJECTED})
_AUTHORIZED = frozenset({"authorized", "capture_failed"})
_CAPTURED = frozenset({"captured", "partly_refunded"})
_RESERVED = frozenset({"held", "allocated", "consumed"})
_BOOKED = frozenset({
    "label_bought", "handed_over", "in_transit", "out_for_delivery", "delayed", "ready_for_pickup",
    "delivery_failed", "return_to_sender", "returned", "lost", "delivered",
})  # fmt: skip

if [f.name for f in fields(OrderRow)] != list(COLUMNS):  # pragma: no cover
    raise AssertionError("A row's fields are its columns, in one order.")
