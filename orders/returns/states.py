"""The states of a return and its table of moves."""

from __future__ import annotations

from django.db import models


class State(models.TextChoices):
    REQUESTED = "requested"  #: The goods are on their way back, or still with the customer.
    RECEIVED = "received"  #: They are in the house; a person has to inspect them.
    INSPECTED = "inspected"  #: Decided line by line; its saga pays back and puts back.
    CLOSED = "closed"  #: What was accepted is refunded and counted as returned. Final.
    WITHDRAWN = "withdrawn"  #: Nothing came of it and nothing was refunded. Final.


#: An inspection that its saga has not taken up yet can still be given back, by turning the saga back.
MOVES: dict[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.RECEIVED, State.WITHDRAWN}),
    State.RECEIVED: frozenset({State.INSPECTED, State.WITHDRAWN}),
    State.INSPECTED: frozenset({State.CLOSED, State.WITHDRAWN}),
    State.CLOSED: frozenset(),
    State.WITHDRAWN: frozenset(),
}

FINAL = frozenset({State.CLOSED, State.WITHDRAWN})
#: As long as it is in one of these, its pieces are spoken for.
OPEN = (State.REQUESTED, State.RECEIVED, State.INSPECTED)


class Origin(models.TextChoices):
    SHOP = "shop"  #: The shop asked.
    STAFF = "staff"  #: A member of the staff opened it.
    CANCELLATION = "cancellation"  #: Somebody wanted to cancel what was handed over.
    CARRIER = "carrier"  #: The carrier brought a parcel back.
