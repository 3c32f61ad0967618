"""The states of an order and its table of moves. The aggregate decides by it, the row is checked by it."""

from __future__ import annotations

from django.db import models

from orders import contract


class State(models.TextChoices):
    DRAFT = "draft"  #: Received and stored; its saga has not begun.
    PENDING = "pending"  #: Its saga is at work and holds the lock. Everything can still be given back.
    CONFIRMED = "confirmed"  #: Paid, goods allocated, shipment booked.
    PROCESSING = "processing"  #: The carrier has at least one parcel.
    COMPLETED = "completed"  #: Every parcel was delivered. Final.
    CANCELLING = "cancelling"  #: Somebody asked to cancel; things are being given back.
    CANCELLED = "cancelled"  #: Given back on request. Final.
    REJECTED = "rejected"  #: Given back because a step refused or the deadline passed. Final.


#: A cancellation that loses the race against capture goes back to confirmed (and begins anew from there);
#: one that loses against hand-over goes on to processing.
MOVES: dict[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.PENDING, State.CANCELLING, State.REJECTED}),
    State.PENDING: frozenset({State.CONFIRMED, State.CANCELLING, State.REJECTED}),
    State.CONFIRMED: frozenset({State.PROCESSING, State.CANCELLING}),
    State.PROCESSING: frozenset({State.COMPLETED}),
    State.CANCELLING: frozenset({State.CANCELLED, State.CONFIRMED, State.PROCESSING}),
    State.COMPLETED: frozenset(),
    State.CANCELLED: frozenset(),
    State.REJECTED: frozenset(),
}

#: Where money may be paid back without anything else happening: it was taken, and nothing is being given back.
REFUNDABLE = frozenset({State.CONFIRMED, State.PROCESSING, State.COMPLETED})

#: How the reasons begin for which an order calls a person about the customer's bank: it only asks, it disputes the
#: payment, or has taken it. What an order is held for so is not let go by its way through the house.
ASKED, DISPUTED = "bank asks about the payment", "bank disputes the payment"
LOST = "bank has taken the payment back"

FINAL = frozenset({State.COMPLETED, State.CANCELLED, State.REJECTED})


class LockKind(models.TextChoices):
    NONE = ""  #: Free.
    FULFIL = "fulfil"  #: The fulfilment saga is at work.
    CANCEL = "cancel"  #: The order, or a part of it, is being cancelled after the capture.
    RETURN = "return"  #: Goods are coming back.
    REFUND = "refund"  #: Money is being paid back, and nothing else.


class Fulfilment(models.TextChoices):
    ORCHESTRATION = contract.ORCHESTRATION  #: The engine leads.
    CHOREOGRAPHY = contract.CHOREOGRAPHY  #: Nobody leads: each app goes by the events of the others.


def held_for_a_bank(hold_reason: str) -> bool:
    """Whether this is a hold that only the bank's decision lifts, or a person."""
    return hold_reason.startswith((ASKED, DISPUTED, LOST))
