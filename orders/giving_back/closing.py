"""What the sagas that give back ask of orders. Set-based, in the engine's transaction, safe to repeat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from orders import repository
from orders.aggregate import Order
from orders.giving_back import notes, rules
from orders.giving_back.models import CreditNote
from orders.giving_back.notes import Finished
from orders.returns import opening
from orders.states import LockKind, State
from sagas.steps import StepCall
from sagas.verdicts import Answer, Done, IllegalMove, Refused
from shipping.contract import ALREADY_HANDED_OVER

#: Code of what a person has ended with nothing given back.
ENDED_BY_HAND = "orders.ended_by_hand"

Act = Callable[[Order, StepCall, datetime], dict[str, Any]]


def begin_cancellations(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """Make sure that each saga holds its order. It was locked in the commit that started the saga."""
    return _decide(calls, _begin, now)


def abandon_cancellations(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """The goods left first: the orders go on, and their notes wait as returns. Publishes CancellationLost.

    If somebody wanted to cancel the whole order, a return of all of it is opened. Publishes ReturnRequested.
    """
    answers = _decide(calls, _abandon, now)
    notes.become_returns(_note_ids([call for call in calls if not paid_back(call)]), now=now)
    gone = [(call, answer) for call, answer in zip(calls, answers, strict=True) if paid_back(call)]
    finish_notes([call for call, _ in gone], [answer for _, answer in gone], now)
    return answers


def close_cancellations(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """Count the pieces as cancelled, let go of the order, end the note.

    Publishes OrderLinesCancelled, OrderCancelled if nothing is left to ship, and CreditNoteApplied.
    """
    answers = _decide(calls, _close_cancellation, now)
    finish_notes(calls, answers, now)
    return answers


def _decide(calls: Sequence[StepCall], act: Act, now: datetime) -> list[Answer]:
    orders = repository.load((call.subject_id for call in calls), with_lines=True)
    answers = [_verdict(act, orders[call.subject_id], call, now) for call in calls]
    correlations = {call.subject_id: call.correlation_id for call in calls}
    repository.save(orders.values(), now=now, correlations=correlations)
    return answers


def _verdict(act: Act, order: Order, call: StepCall, now: datetime) -> Answer:
    try:
        return Done(act(order, call, now))
    except Refused as refused:
        return refused


def _begin(order: Order, call: StepCall, now: datetime) -> dict[str, Any]:
    if not holds(order, call, LockKind.CANCEL):
        order.request_cancellation(call.saga_id, reason=call.reference, whole=call.input["whole"], now=now)
    return {}


def _abandon(order: Order, call: StepCall, now: datetime) -> dict[str, Any]:
    if not holds(order, call, LockKind.CANCEL):
        return {}
    if paid_back(call):  # whatever a person says of it, its money is gone
        return _close_cancellation(order, call, now)
    reason, code = order.cancel_reason, call.cause_code or call.cause or ENDED_BY_HAND
    order.abandon_cancellation(call.saga_id, code=code, now=now)
    if code == ALREADY_HANDED_OVER and call.input["whole"] and not call.input["note_id"]:
        opening.open_for_late_cancels([order], {order.id: reason}, now=now)
    return {}


def _close_cancellation(order: Order, call: StepCall, now: datetime) -> dict[str, Any]:
    if not holds(order, call, LockKind.CANCEL):
        return {}
    reason = order.cancel_reason
    lines = order.lines.values()
    gone = rules.everything_left(lines) if call.input["whole"] else rules.within(lines, call.input["lines"])
    order.cancel_lines(call.saga_id, gone, amount_minor=call.input["refund_minor"], now=now)
    if order.state is State.CANCELLING:
        order.cancel(call.saga_id, reason=reason, now=now)
    return {}


def receive(order: Order, call: StepCall, now: datetime) -> dict[str, Any]:
    """The goods of a credit note are here, or only money is meant. Locks the order unless it is locked already."""
    if order.state is not State.CANCELLED and not holds(order, call, LockKind.RETURN):
        order.open_return(call.saga_id, now=now)
    return {}


def let_go(order: Order, call: StepCall, now: datetime) -> dict[str, Any]:
    """A credit note's saga turned back before anything was given: a return of nothing."""
    if paid_back(call):
        return close_return(order, call, now)
    if holds(order, call, LockKind.RETURN):
        order.return_goods(call.saga_id, [], amount_minor=0, now=now)
    return {}


def inspect(order: Order, call: StepCall, _: datetime) -> dict[str, Any]:
    """Accept at most what the order has left, and refund at most what was not credited yet."""
    asked = call.input["refund_minor"] + call.input["credit_minor"]
    share = rules.share(asked, order)
    accepted = rules.within(order.lines.values(), call.input["lines"])
    return {"lines": accepted, "refund_minor": share.refund_minor, "credit_minor": share.credit_minor}


def close_return(order: Order, call: StepCall, now: datetime) -> dict[str, Any]:
    """Count a credit note's pieces as returned and let go of the order. A cancelled order has nothing to count."""
    if holds(order, call, LockKind.RETURN):
        lines, amount = call.input["lines"], call.input["refund_minor"]
        if call.by_hand:  # nobody may have inspected them
            lines = rules.within(order.lines.values(), lines)
        order.return_goods(call.saga_id, lines, amount_minor=amount, now=now)
    elif order.state is not State.CANCELLED and not call.by_hand:
        raise IllegalMove(detail=f"{order.external_reference} is not held by {call.saga_id} for a return")
    return {}


def given(call: StepCall) -> tuple[int, int]:
    """What was paid back and what is credit. Who has ended the saga by hand says that it was what it was to be."""
    refunded, credited = call.input["refunded_minor"], call.input["credited_minor"]
    if call.by_hand and refunded is None:
        return call.input["refund_minor"], call.input["credit_minor"]
    return refunded, credited


def paid_back(call: StepCall) -> bool:
    """Whether a person has ended a saga as given back whose money is known to have gone back."""
    return call.by_hand is not None and bool(
        call.input.get("refunded_minor") or call.input.get("credited_minor")
    )


def holds(order: Order, call: StepCall, kind: LockKind) -> bool:
    """Whether the call's saga has the order's lock of that kind."""
    return (order.lock_saga, order.lock_kind) == (call.saga_id, kind)


def finish_notes(calls: Sequence[StepCall], answers: Sequence[Answer], now: datetime) -> None:
    """End the credit notes of the calls that are done. Publishes CreditNoteApplied."""
    closed = [call for call, answer in zip(calls, answers, strict=True) if isinstance(answer, Done)]
    finished = [
        Finished(
            UUID(call.input["note_id"]),
            CreditNote.State.APPLIED,
            *given(call),
        )
        for call in closed
        if call.input["note_id"]
    ]
    notes.finish(finished, now=now)


def wait_again(calls: Sequence[StepCall], *, now: datetime) -> None:
    """The credit notes of these calls wait for another saga."""
    notes.wait_again(_note_ids(calls), now=now)


def _note_ids(calls: Sequence[StepCall]) -> list[UUID]:
    return [UUID(call.input["note_id"]) for call in calls if call.input["note_id"]]
