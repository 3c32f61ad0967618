"""The fulfilment of an order, as the business reads it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from inventory import contract as inventory
from orders import commands
from orders.contract import CANCEL_ORDER, CONFIRM_ORDER, FULFIL_IN_PARCELS, PLACE_ORDER
from orders.contract import FULFIL_ORDER as NAME
from payments import contract as payments
from sagas.definition import ByHand, SagaDefinition, SagaNote, compensatable, pivot, retriable
from shipping import contract as shipping


def begin_cancellation(notes: Sequence[SagaNote], now: datetime) -> None:
    """A cancel that came after the capture: giving back is a saga of its own."""
    commands.begin_late_cancellations(notes, now=now)


def call_attention(notes: Sequence[SagaNote], now: datetime) -> None:
    """A parked saga shows on its order."""
    commands.call_attention(notes, now=now)


def hold_for_address(notes: Sequence[SagaNote], now: datetime) -> None:
    """An order whose booking waits for a corrected address is on hold until then."""
    commands.hold_for_address(notes, now=now)


FULFIL_ORDER = SagaDefinition(
    NAME,
    version=1,
    steps=[
        compensatable(PLACE_ORDER),
        compensatable(payments.AUTHORIZE_PAYMENT),
        compensatable(inventory.RESERVE_STOCK),
        compensatable(shipping.BOOK_SHIPMENT),
        pivot(payments.CAPTURE_PAYMENT),
        retriable(CONFIRM_ORDER),
    ],
    context=("person_id", "country", "payment_method", "total_minor", "currency"),
    deadline=timedelta(days=1),
    by_hand=ByHand(completed=(CONFIRM_ORDER,), compensated=(CANCEL_ORDER,)),
    choreographable=True,
    late_cancel=begin_cancellation,
    attention=call_attention,
    waits=hold_for_address,
    countermeasures={
        "semantic lock": "The order is pending and locked by (saga, kind, since). Other commands get 409"
        " orders.order_locked; cancel is never refused for being early: it becomes an intent of the saga.",
        "commutative updates": "Stock is held and given back by adding and subtracting, in SKU order.",
        "reread value": "Every row is read again under its lock and written by its version; an outdated write"
        " finds no row.",
        "version file": "An undo may arrive before its step: the final order, the voided payment and the"
        " released reservation are tombstones that a late step runs into.",
    },
)

ONE_BY_ONE = SagaDefinition(
    FULFIL_IN_PARCELS,
    version=1,
    steps=[
        compensatable(PLACE_ORDER),
        compensatable(payments.AUTHORIZE_PAYMENT),
        compensatable(inventory.RESERVE_STOCK),
        pivot(CONFIRM_ORDER),
    ],
    context=("person_id", "country", "payment_method", "total_minor", "currency", "in_shares"),
    deadline=timedelta(days=1),
    by_hand=ByHand(completed=(CONFIRM_ORDER,), compensated=(CANCEL_ORDER,)),
    late_cancel=begin_cancellation,
    attention=call_attention,
    countermeasures={
        "semantic lock": "The order is pending and locked until it is confirmed. Then it is free: each of its parcels"
        " is a saga of its own.",
        "commutative updates": "As in orders.fulfil_order.",
        "version file": "As in orders.fulfil_order.",
    },
)
