"""What the saga of a return asks of it. Set-based, in the engine's transaction, safe to repeat.

Sagas of `orders.return_goods` without a return carry out credit notes: those pass straight through, see
`orders.giving_back.closing`. Both share their steps, so a piece is counted in one place whoever gave it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self
from uuid import UUID

from django.conf import settings

from orders import repository
from orders.aggregate import Order
from orders.giving_back import closing
from orders.parcelling.claims import taken_of
from orders.refunding import requests
from orders.returns import rules, store
from orders.returns.aggregate import Return
from orders.returns.commands import UNEXPECTED
from orders.returns.states import FINAL, State
from orders.states import LockKind
from orders.worth import Promised
from sagas.steps import StepCall
from sagas.verdicts import Answer, Done, IllegalMove, Refused, Unavailable, Waiting

#: What a saga waits for, as its page shows it.
RECEIPT, INSPECTION = "orders.return_receipt", "orders.return_inspection"
#: Why a saga turned back: the goods never came.
NOT_RECEIVED = "orders.return_not_received"
#: How soon an order that another saga holds is looked at again.
LOOK_AGAIN = timedelta(minutes=1)


class Batch:
    """Calls beside their locked orders and their returns: read once, written once. Orders are locked first."""

    def __init__(self, calls: Sequence[StepCall], *, now: datetime) -> None:
        self.calls, self.now = calls, now
        self.orders = repository.load((call.subject_id for call in calls), with_lines=True)
        self.returns = store.of_sagas([call.saga_id for call in calls])

    def answers(
        self,
        of_a_note: Callable[[Order, StepCall, datetime], dict[str, Any]],
        of_a_return: Callable[[Order, StepCall, Return, datetime], Answer],
    ) -> list[Answer]:
        """One answer each, in order; everything they have decided is stored."""
        found = [self._answer(call, of_a_note, of_a_return) for call in self.calls]
        by_order = {call.subject_id: call.correlation_id for call in self.calls}
        repository.save(self.orders.values(), now=self.now, correlations=by_order)
        by_return = {one.id: by_order[one.order_id] for one in self.returns.values()}
        store.save(self.returns.values(), now=self.now, correlations=by_return)
        return found

    def _answer(
        self, call: StepCall, of_a_note: Callable[..., dict[str, Any]], of_a_return: Callable[..., Answer]
    ) -> Answer:
        order, back = self.orders[call.subject_id], self.returns.get(call.saga_id)
        try:
            if back is None:
                return Done(of_a_note(order, call, self.now))
            return of_a_return(order, call, back, self.now)
        except Refused as refused:
            return refused


def receive_returns(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """Wait for the goods until they are due, then give up. Publishes ReturnWithdrawn; of credit notes ReturnOpened."""
    return Batch(calls, now=now).answers(closing.receive, _receive)


def withdraw_returns(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """The sagas turned back: nothing comes of their returns. Publishes ReturnWithdrawn.

    A credit note lets go of its order and waits again.
    """
    answers = Batch(calls, now=now).answers(closing.let_go, _withdraw)
    closing.wait_again([call for call in calls if not closing.paid_back(call)], now=now)
    gone = [(call, answer) for call, answer in zip(calls, answers, strict=True) if closing.paid_back(call)]
    closing.finish_notes([call for call, _ in gone], [answer for _, answer in gone], now)
    return answers


def inspect_returns(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """Wait for a person's word about each piece; then lock the orders and say what is paid back and put back.

    The order is held from here on, and only if nobody else holds it. Without a word a person is called from time to
    time, and nothing is ever paid. Publishes ReturnOpened, and OrderNeedsAttention.
    """
    batch = Batch(calls, now=now)
    return batch.answers(closing.inspect, partial(_inspect, room=Room.of(batch.orders.values())))


def close_returns(calls: Sequence[StepCall], *, now: datetime) -> list[Answer]:
    """Count the pieces as returned, let go of the orders, end the returns and credit notes.

    Publishes GoodsReturned, ReturnClosed and CreditNoteApplied.
    """
    batch = Batch(calls, now=now)
    room = Room.of(batch.orders[call.subject_id] for call in calls if call.by_hand)
    answers = batch.answers(closing.close_return, partial(_close, room=room))
    closing.finish_notes(calls, answers, now)
    return answers


@dataclass(frozen=True, slots=True)
class Room:
    """What refunds have promised of each order and, of one in parcels, what was taken: read once for a batch."""

    promised: Mapping[UUID, Promised] = field(default_factory=dict)
    taken: Mapping[UUID, int] = field(default_factory=dict)

    @classmethod
    def of(cls, orders: Iterable[Order]) -> Self:
        """The room of these locked orders."""
        known = list(orders)
        promised = requests.promised_of_all([order.id for order in known])
        return cls(promised, taken_of([order.id for order in known if order.in_parcels]))

    def worth(self, order: Order, pieces: Mapping[int, int]) -> int:
        """What goes back for these pieces. No more than was taken: a discount may lie on what was never shipped."""
        taken = self.taken.get(order.id, order.total_minor)
        most = max(0, taken - order.returned_minor - order.refunded_minor)
        return min(rules.value_of(order, pieces, self.promised.get(order.id, Promised())), most)


def _receive(_: Order, __: StepCall, back: Return, now: datetime) -> Answer:
    if back.state is State.REQUESTED and now < back.due_at:
        return Waiting(RECEIPT, back.due_at)
    if back.state is State.REQUESTED:
        back.withdraw(NOT_RECEIVED, now=now)
    if back.state is State.WITHDRAWN:
        return Refused(back.end_code)
    return Done()


def _withdraw(order: Order, call: StepCall, back: Return, now: datetime) -> Answer:
    if (
        closing.paid_back(call) and back.state is State.INSPECTED
    ):  # whatever a person says of it, its money is gone
        return _close(order, call, back, now, room=Room())
    if back.state not in FINAL:
        back.withdraw(call.cause_code or call.cause or closing.ENDED_BY_HAND, now=now)
    if call.by_hand:
        closing.let_go(order, call, now)
    return Done()


def _inspect(order: Order, call: StepCall, back: Return, now: datetime, *, room: Room) -> Answer:
    match back.state:
        case State.WITHDRAWN:
            return Refused(back.end_code)
        case State.REQUESTED:
            return Waiting(RECEIPT, now + _patience())
        case State.RECEIVED:
            return _wait_for_a_person(order, back, now)
    if held := _held_by_another(order, call, now):
        return held
    return _take_up(order, call, back, room, now)


def _wait_for_a_person(order: Order, back: Return, now: datetime) -> Answer:
    remind_at = (back.received_at or now) + _patience()
    if now < remind_at:
        return Waiting(INSPECTION, remind_at)
    order.need_attention(INSPECTION, on_hold=order.on_hold, owner=order.hold_owner, now=now)
    return Waiting(INSPECTION, now + _patience())


def _held_by_another(order: Order, call: StepCall, now: datetime) -> Answer | None:
    """Looked at again until it is free; that uses up none of the step's tries."""
    if order.state not in rules.HANDED_OVER:
        return Unavailable("orders.not_handed_over", order.state).sparing(now + LOOK_AGAIN)
    if order.lock_kind is not LockKind.NONE and order.lock_saga != call.saga_id:
        return Unavailable("orders.order_locked", f"{order.lock_kind} saga {order.lock_saga}").sparing(
            now + LOOK_AGAIN
        )
    return None


def _take_up(order: Order, call: StepCall, back: Return, room: Room, now: datetime) -> Answer:
    back.cut_to({line.position: line.left for line in order.lines.values()})
    if order.lock_kind is LockKind.NONE:
        order.open_return(call.saga_id, now=now)
    worth = room.worth(order, back.accepted)
    return Done({"lines": back.restocked(), "refund_minor": worth, "credit_minor": 0})


def _close(order: Order, call: StepCall, back: Return, now: datetime, *, room: Room) -> Answer:
    if back.state is State.CLOSED:
        return Done()
    if call.by_hand and back.state is not State.INSPECTED:
        return _withdraw(order, call, back, now)  # nobody has said what comes of its pieces
    if call.by_hand and not closing.holds(order, call, LockKind.RETURN):
        return _close_untouched(order, call, back, room, now)
    if not closing.holds(order, call, LockKind.RETURN):
        raise IllegalMove(detail=f"{order.external_reference} is not held by {call.saga_id} for a return")
    paid, owed = closing.given(call)
    order.return_pieces(call.saga_id, back.accepted, amount_minor=call.input["refund_minor"], now=now)
    if back.unexpected:
        order.need_attention(UNEXPECTED, on_hold=False, owner="", now=now)
    back.close(refund_minor=paid, credit_minor=owed, now=now)
    return Done()


def _close_untouched(order: Order, call: StepCall, back: Return, room: Room, now: datetime) -> Answer:
    """A person has ended the saga before it took the inspection up: it is taken up now, and closed as settled."""
    if held := _held_by_another(order, call, now):
        return held
    taken = _take_up(order, call, back, room, now)
    if not isinstance(taken, Done):
        return taken
    settled = replace(call, input={**call.input, **taken.result})
    return _close(order, settled, back, now, room=Room())


def _patience() -> timedelta:
    return timedelta(days=settings.WAYBILL.return_inspection_days)
