"""One parcel of an order, as the business reads it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from inventory import contract as inventory
from orders import commands
from orders.contract import CANCEL_PARCEL as CANCEL_NAME
from orders.contract import (
    CANCEL_PIECES,
    FINISH_ORDER,
    HOLD_PARCEL,
    KEEP_PARCEL,
    PACK_PARCEL,
    READY_PARCEL,
    UNPACK_PARCEL,
)
from orders.contract import SHIP_PARCEL as NAME
from payments import contract as payments
from sagas.definition import ByHand, SagaDefinition, SagaNote, compensatable, pivot, retriable
from shipping import contract as shipping


def call_attention(notes: Sequence[SagaNote], now: datetime) -> None:
    """A parked parcel shows on its order."""
    reasons = {
        UUID(str(note.context["order_id"])): f"{note.reference}: {note.reason or 'parked'}" for note in notes
    }
    commands.call_for(reasons, hold=True, now=now)


SHIP_PARCEL = SagaDefinition(
    NAME,
    version=1,
    steps=[
        compensatable(PACK_PARCEL),
        compensatable(shipping.BOOK_SHIPMENT),
        pivot(payments.CAPTURE_SHARE),
        retriable(READY_PARCEL),
        retriable(shipping.CLEAR_PARCEL),
        retriable(payments.RELEASE_REST),
    ],
    context=("order_id", "person_id", "country", "location_id", "paid_by", "share_minor"),
    deadline=timedelta(days=1),
    attention=call_attention,
    by_hand=ByHand(completed=(READY_PARCEL,), compensated=(UNPACK_PARCEL,)),
    countermeasures={
        "semantic lock": "Its pieces are claimed under the order's row lock in the commit that starts it: no other"
        " parcel has them. The order itself is free, so several parcels go side by side.",
        "commutative updates": "Shares add up. One of a payment is open at a time; another waits for its outcome.",
        "reread value": "Whether anything is left that wants money is counted under the order's lock when it is ready.",
    },
)

#: The pivot is the label: once it is taken back everything else follows. If the carrier has the parcel, nothing was
#: given back yet and it goes on.
CANCEL_PARCEL = SagaDefinition(
    CANCEL_NAME,
    version=1,
    steps=[
        compensatable(HOLD_PARCEL),
        pivot(shipping.WITHDRAW_SHIPMENT),
        retriable(inventory.WITHDRAW_ALLOCATION),
        retriable(payments.REFUND_PAYMENT),
        retriable(CANCEL_PIECES),
        retriable(payments.RELEASE_REST),
        retriable(FINISH_ORDER),
    ],
    context=("order_id", "lines", "whole", "refund_minor", "credit_minor", "reason", "paid_by"),
    attention=call_attention,
    by_hand=ByHand(completed=(CANCEL_PIECES, FINISH_ORDER), compensated=(KEEP_PARCEL,)),
    countermeasures={
        "semantic lock": "Its pieces are held under the order's row lock in the commit that starts it: no parcel can"
        " have them. One that is just being booked or paid for is held once that is decided. Other parcels of the"
        " order are not touched.",
        "by value": "What is paid back is the share of this parcel, if it was taken: never a share of another.",
        "reread value": "Whether anything is left that wants money is counted under the order's lock at the end.",
    },
)
