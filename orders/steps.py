"""The steps of orders, each action beside its compensation. They run inside the engine's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from orders import commands, contract
from sagas.steps import StepCall, compensation, local_step
from sagas.verdicts import Answer


@local_step(contract.PLACE_ORDER, undo=contract.CANCEL_ORDER)
def place_order(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The draft becomes pending and is locked for its saga."""
    return commands.accept_orders(calls, now=calls[0].now)


@compensation(contract.CANCEL_ORDER)
def cancel_order(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The order ends: rejected, or cancelled if somebody asked for it."""
    return commands.give_back_orders(calls, now=calls[0].now)


@local_step(contract.CONFIRM_ORDER)
def confirm_order(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The order is confirmed and the lock is let go."""
    return commands.confirm_orders(calls, now=calls[0].now)
