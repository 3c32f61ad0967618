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


def drop_refunds(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """A person says that nothing went back: the orders are free, and the money may be asked for again.

    What is known to have gone back, or to be owed, is closed as that. Publishes OrderRefunded, of nothing, and
    RefundDeclined.
    """
    repository.load(call.subject_id for call in calls)
    open_ = requests.of_sagas(call.saga_id for call in calls)
    known = [c for c in calls if _is_known(c, open_.get(c.saga_id))]
    dropped = [(c, open_[c.saga_id]) for c in calls if c not in known and c.saga_id in open_]
    close_refunds(known, now=now)
    orders = repository.load([one.order_id for _, one in dropped], with_lines=True)
    for _, one in dropped:
        orders[one.order_id].refund(one.saga_id, one.id, [], amount_minor=0, now=now)
    repository.save(
        orders.values(), now=now, correlations={c.subject_id: c.correlation_id for c, _ in dropped}
    )
    for call, one in dropped:
        requests.drop(one, *_who(call), now=now)
    return [Done() for _ in calls]


def _is_known(call: StepCall, one: Open | None) -> bool:
    return one is not None and (call.input.get("refund_id") is not None or one.failed or one.repaid)


def _who(call: StepCall) -> tuple[str, str]:
    return (call.by_hand.actor, call.by_hand.reason) if call.by_hand else ("system", "nothing went back")


def _outcome(call: StepCall, one: Open) -> Outcome:
    """What the refund's step said. If a person has skipped it without a word, it is still owed."""
    told = call.input
    if told.get("refund_id") is None:
        # Who ends the saga by hand says that it was paid; unless the provider has said that it was not.
        paid = one.repaid or (call.by_hand and not one.failed)
        return (
            Outcome(None, one.amount_minor, 0) if paid else Outcome(None, 0, 0, owed_minor=one.amount_minor)
        )
    return Outcome(UUID(told["refund_id"]), int(told["refunded_minor"]), int(told["credited_minor"]))
