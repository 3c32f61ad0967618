"""The step of orders in the saga of a refund."""

from __future__ import annotations

from collections.abc import Sequence

from orders import contract
from orders.refunding import closing
from sagas.steps import StepCall, compensation, local_step
from sagas.verdicts import Answer


@local_step(contract.CLOSE_REFUND, needs=("refund_id", "refunded_minor", "credited_minor"))
def close_refund(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """What was paid back is counted on the order, and the order is free."""
    return closing.close_refunds(calls, now=calls[0].now)


@compensation(contract.DROP_REFUND)
def drop_refund(calls: Sequence[StepCall]) -> Sequence[Answer]:
    """Nothing went back, a person says who has ended the saga: the order is free."""
    return closing.drop_refunds(calls, now=calls[0].now)
