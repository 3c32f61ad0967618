"""What the saga of a refund asks of orders. Set-based, in the engine's transaction, safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from orders import repository
from orders.refunding import requests
from orders.refunding.requests import Open, Outcome
from sagas.steps import StepCall
from sagas.verdicts import Answer, Done


def close_refunds(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """Count what was given back, let go of the orders, end the requests.

    Publishes OrderRefunded and RefundEnded. One that has been closed already is left as it is.
    """
    orders = repository.load((call.subject_id for call in calls), with_lines=True)
    open_ = requests.of_sagas(call.saga_id for call in calls)
    due = [(call, open_[call.saga_id]) for call in calls if call.saga_id in open_]
    outcomes = [(one, _outcome(call, one)) for call, one in due]
    for one, outcome in outcomes:
        order = orders[one.order_id]
        # Of what a bank has taken no piece was paid back: whatever is left may be asked for again.
        lines = one.lines if outcome.given_minor == one.amount_minor else []
        order.refund(one.saga_id, one.id, lines, amount_minor=outcome.given_minor, now=now)
    correlations = {call.subject_id: call.correlation_id for call, _ in due}
    repository.save(orders.values(), now=now, correlations=correlations)
    requests.close(outcomes, now=now)
    return [Done() for _ in calls]


def _outcome(call: StepCall, one: Open) -> Outcome:
    """What the refund's step said. If a person has skipped it without a word, it is still owed."""
    told = call.input
    if told.get("refund_id") is None:
        return Outcome(None, 0, 0, owed_minor=one.amount_minor)
    return Outcome(UUID(told["refund_id"]), int(told["refunded_minor"]), int(told["credited_minor"]))
