"""A refund that somebody asked for, as the business reads it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orders import commands
from orders.contract import CLOSE_REFUND, DROP_REFUND
from orders.contract import REFUND_ORDER as NAME
from payments import contract as payments
from sagas.definition import ByHand, SagaDefinition, SagaNote, retriable


def call_attention(notes: Sequence[SagaNote], now: datetime) -> None:
    """A parked saga shows on its order."""
    commands.call_attention(notes, now=now)


REFUND_ORDER = SagaDefinition(
    NAME,
    version=1,
    steps=[retriable(payments.REFUND_PAYMENT), retriable(CLOSE_REFUND)],
    context=("order_id", "refund_minor", "credit_minor"),
    attention=call_attention,
    by_hand=ByHand(completed=(CLOSE_REFUND,), compensated=(DROP_REFUND,)),
    countermeasures={
        "semantic lock": "The order is locked for the refund; another command gets 409 orders.order_locked. Two"
        " refunds that are asked for at once never promise the same money.",
        "reread value": "What is left of the order and of each line is counted under the lock when it is asked for,"
        " and again when it is approved.",
        "by value": "Above the limit of its currency a second person decides. Never more is paid back than was"
        " captured.",
    },
)
