"""The states of a fulfilment order and its table of moves."""

from __future__ import annotations

from django.db import models


class State(models.TextChoices):
    CLAIMED = "claimed"  #: Its pieces are its own. Its label is being bought and its share taken.
    READY = "ready"  #: Paid; the carrier may take it. Where its parcel is, shipping says.
    GIVEN_UP = "given_up"  #: Its label or its share was refused: its pieces are free again. Final.
    CANCELLING = "cancelling"  #: Nobody is to ship its pieces; what was done for them is being given back.
    CANCELLED = "cancelled"  #: Its pieces are cancelled, and nothing of them is charged. Final.


MOVES: dict[State, frozenset[State]] = {
    State.CLAIMED: frozenset({State.READY, State.GIVEN_UP}),
    State.READY: frozenset({State.CANCELLING}),
    State.CANCELLING: frozenset({State.CANCELLED, State.READY, State.GIVEN_UP}),
    State.GIVEN_UP: frozenset(),
    State.CANCELLED: frozenset(),
}

#: Where its pieces are its own, and its share counts.
STANDS = (State.CLAIMED, State.READY, State.CANCELLING, State.CANCELLED)
