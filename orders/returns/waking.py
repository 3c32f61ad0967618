"""The saga of a return looks now at what a person or the carrier has just written down."""

from __future__ import annotations

from collections.abc import Sequence

from orders.contract import INSPECT_RETURN, RECEIVE_RETURN
from orders.returns.aggregate import Return
from sagas.engine.wake import wake_steps

#: Whoever holds the order's row when the saga looks is waited for, and whoever looked first has gone by the time a
#: command gets that row: so no news falls between a look and a wake-up.
STEPS = (RECEIVE_RETURN, INSPECT_RETURN)


def wake(returns: Sequence[Return]) -> None:
    """Let the sagas of these returns look, in the transaction that holds their orders. Safe to repeat."""
    wake_steps([one.saga_id for one in returns], STEPS)
