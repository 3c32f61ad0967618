"""The steps of orders in the sagas that give back, each beside its compensation where it has one."""

from __future__ import annotations

from collections.abc import Sequence

from orders import contract
from orders.giving_back import closing
from sagas.steps import StepCall, compensation, local_step
from sagas.verdicts import Answer


@local_step(contract.BEGIN_CANCELLATION, undo=contract.ABANDON_CANCELLATION, needs=("whole", "note_id"))
def begin_cancellation(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The order is held for its cancellation."""
    return closing.begin_cancellations(calls, now=calls[0].now)


@compensation(contract.ABANDON_CANCELLATION, needs=("note_id",))
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


@local_step(contract.RECEIVE_RETURN)
def receive_return(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The goods came back, or only money is given."""
    return closing.receive_returns(calls, now=calls[0].now)


@local_step(
    contract.INSPECT_RETURN,
    needs=("lines", "refund_minor", "credit_minor"),
    gives=("lines", "refund_minor", "credit_minor"),
)
def inspect_return(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """What is accepted, and what is paid back for it."""
    return closing.inspect_returns(calls, now=calls[0].now)


@local_step(
    contract.CLOSE_RETURN, needs=("lines", "refund_minor", "refunded_minor", "credited_minor", "note_id")
)
def close_return(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """The pieces are counted as returned."""
    return closing.close_returns(calls, now=calls[0].now)
