"""The steps of orders in the sagas that give back, each beside its compensation where it has one."""

from __future__ import annotations

from collections.abc import Sequence

from orders import contract
from orders.giving_back import closing
from orders.returns import carrying
from sagas.steps import StepCall, compensation, local_step
from sagas.verdicts import Answer


@local_step(contract.BEGIN_CANCELLATION, undo=contract.ABANDON_CANCELLATION, needs=("whole", "note_id"))
def begin_cancellation(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The order is held for its cancellation."""
    return closing.begin_cancellations(calls, now=calls[0].now)


@compensation(contract.ABANDON_CANCELLATION, needs=("whole", "note_id"))
def abandon_cancellation(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The goods were faster: the order goes on, what was to be given back waits as a return."""
    return closing.abandon_cancellations(calls, now=calls[0].now)


@local_step(
    contract.CLOSE_CANCELLATION,
    needs=("lines", "whole", "refund_minor", "refunded_minor", "credited_minor", "note_id"),
)
def close_cancellation(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The pieces are cancelled, and the order if none is left."""
    return closing.close_cancellations(calls, now=calls[0].now)


@local_step(contract.RECEIVE_RETURN, undo=contract.WITHDRAW_RETURN)
def receive_return(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The goods came back, or only money is given. A return waits for its goods until they are due."""
    return carrying.receive_returns(calls, now=calls[0].now)


@compensation(contract.WITHDRAW_RETURN, needs=("note_id",))
def withdraw_return(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """Nothing comes of it; what was to be given back by a credit note waits again."""
    return carrying.withdraw_returns(calls, now=calls[0].now)


@local_step(
    contract.INSPECT_RETURN,
    needs=("lines", "refund_minor", "credit_minor"),
    gives=("lines", "refund_minor", "credit_minor"),
)
def inspect_return(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """What goes back on the shelf, and what is paid back. A return waits for a person's word."""
    return carrying.inspect_returns(calls, now=calls[0].now)


@local_step(
    contract.CLOSE_RETURN, needs=("lines", "refund_minor", "refunded_minor", "credited_minor", "note_id")
)
def close_return(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The pieces are counted as returned."""
    return carrying.close_returns(calls, now=calls[0].now)
