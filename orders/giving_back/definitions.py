"""Giving back after the capture, as the business reads it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from inventory import contract as inventory
from orders import commands
from orders.contract import (
    ABANDON_CANCELLATION,
    BEGIN_CANCELLATION,
    CLOSE_CANCELLATION,
    CLOSE_RETURN,
    INSPECT_RETURN,
    RECEIVE_RETURN,
    WITHDRAW_RETURN,
)
from orders.contract import CANCEL_FULFILMENT as CANCEL_FULFILMENT_NAME
from orders.contract import RETURN_GOODS as RETURN_GOODS_NAME
from payments import contract as payments
from sagas.definition import ByHand, SagaDefinition, SagaNote, compensatable, pivot, retriable
from shipping import contract as shipping

CONTEXT = ("order_id", "refund_minor", "credit_minor", "lines", "whole", "note_id")


def call_attention(notes: Sequence[SagaNote], now: datetime) -> None:
    """A parked saga shows on its order."""
    commands.call_attention(notes, now=now)


#: The pivot is the parcel: once the goods are taken out of it everything else follows. If the carrier has it,
#: nothing was given back yet and the order goes on; a return is what remains.
CANCEL_FULFILMENT = SagaDefinition(
    CANCEL_FULFILMENT_NAME,
    version=1,
    steps=[
        compensatable(BEGIN_CANCELLATION),
        pivot(shipping.WITHDRAW_SHIPMENT),
        retriable(inventory.WITHDRAW_ALLOCATION),
        retriable(payments.REFUND_PAYMENT),
        retriable(CLOSE_CANCELLATION),
    ],
    context=CONTEXT,
    attention=call_attention,
    by_hand=ByHand(completed=(CLOSE_CANCELLATION,), compensated=(ABANDON_CANCELLATION,)),
    countermeasures={
        "semantic lock": "The order is locked for the cancellation; another command gets 409"
        " orders.order_locked. A cancellation of the whole order makes it cancelling.",
        "reread value": "What is left of each line is counted again under the lock when the saga closes.",
        "by value": "Never more is paid back than was captured and not yet credited; the rest is owed.",
    },
)

#: What began before returns waited for people: credit notes that pass straight through, with no way back.
RETURN_GOODS_ONCE = SagaDefinition(
    RETURN_GOODS_NAME,
    version=1,
    steps=[
        retriable(RECEIVE_RETURN),
        retriable(INSPECT_RETURN),
        retriable(payments.REFUND_PAYMENT),
        retriable(inventory.RESTOCK_GOODS),
        retriable(CLOSE_RETURN),
    ],
    context=CONTEXT,
    attention=call_attention,
    by_hand=ByHand(completed=(CLOSE_RETURN,), compensated=(WITHDRAW_RETURN,)),
    countermeasures={
        "semantic lock": "The order is locked for the return: two returns cannot count the same piece.",
        "reread value": "The inspection counts again what the order has left.",
        "commutative updates": "Restocking adds to the shelf.",
    },
)

#: A return waits for its goods, and can be taken back; it waits for a person's word, and from then on only goes
#: forward. Without a word nobody is paid, so the inspection has no deadline. Of a credit note the shop has said all of
#: that already: its saga goes through the same steps and waits at none.
RETURN_GOODS = SagaDefinition(
    RETURN_GOODS_NAME,
    version=2,
    steps=[
        compensatable(RECEIVE_RETURN),
        pivot(INSPECT_RETURN),
        retriable(payments.REFUND_PAYMENT),
        retriable(inventory.RESTOCK_GOODS),
        retriable(CLOSE_RETURN),
    ],
    context=CONTEXT,
    attention=call_attention,
    by_hand=ByHand(completed=(CLOSE_RETURN,), compensated=(WITHDRAW_RETURN,)),
    countermeasures={
        "semantic lock": "The order is locked from the inspection on, not while the goods travel: for weeks nothing"
        " else could be done with it. Until then pieces in open returns are spoken for, and cannot be asked for twice.",
        "reread value": "The inspection counts again what the order has left and has outstanding.",
        "commutative updates": "Restocking adds to the shelf.",
    },
)
