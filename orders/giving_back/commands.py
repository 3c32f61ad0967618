"""Taking credit notes in, and applying each when its order allows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from orders import repository
from orders.aggregate import Order
from orders.contract import CANCEL_FULFILMENT, RETURN_GOODS, CreditNoteImported
from orders.giving_back import notes, rules
from orders.giving_back.models import CreditNote
from orders.giving_back.notes import Finished, NewNote, Note
from orders.giving_back.rules import Way
from orders.parcelling.claims import ever_charged, still_to_leave
from orders.references import saga_reference
from orders.states import State
from sagas.engine import StartSaga, start_sagas
from sagas.log import Append, publish

#: Notes applied in one commit.
BATCH = 100


def take_credit_notes(
    new: Sequence[NewNote], *, now: datetime, correlation_id: str = "", actor: str = "system"
) -> int:
    """Store credit notes in the caller's transaction; how many were new. Safe to repeat: one per reference.

    Publishes CreditNoteImported. Those without an order are final at once: inventory and payments react.
    """
    if not new:
        return 0
    fresh = notes.insert(new, now=now)
    publish(
        [Append(note_id, 1, _imported(note_id, note)) for note_id, note in fresh.items()],
        now=now,
        actor=actor,
        correlation_id=correlation_id,
    )
    return len(fresh)


def apply_credit_notes(*, now: datetime, limit: int = BATCH) -> int:
    """Start giving back what can be given back now, in one commit; how many notes moved. Safe at any time.

    Notes of one order are applied one after the other, oldest first. A note of an order that was never paid
    ends as `nothing_to_refund`; what exceeds the rest of an order's money becomes customer credit.
    """
    with transaction.atomic(savepoint=False):
        wanted = notes.ready(limit)
        if not wanted:
            return 0
        orders = repository.load([order_id for _, order_id in wanted], with_lines=True)
        batch = _decide(notes.lock([note_id for note_id, _ in wanted]), orders)
        batch.carry_out(now=now)
        return batch.moved


@dataclass(frozen=True, slots=True)
class _Batch:
    """Notes under lock with their orders, and what is to be done with each."""

    orders: Mapping[UUID, Order]
    ways: Sequence[tuple[Note, Way]]

    @property
    def moved(self) -> int:
        return sum(way is not Way.WAIT for _, way in self.ways)

    def carry_out(self, *, now: datetime) -> None:
        nothing = [note.id for note, way in self.ways if way is Way.NOTHING]
        notes.finish([Finished(i, CreditNote.State.NOTHING_TO_REFUND) for i in nothing], now=now)
        notes.become_returns([n.id for n, way in self.ways if way is Way.BECOME_RETURN], now=now)
        self._start([(note, way) for note, way in self.ways if way in (Way.CANCEL, Way.RETURN)], now=now)

    def _start(self, started: Sequence[tuple[Note, Way]], *, now: datetime) -> None:
        if not started:
            return
        orders = [self.orders[note.order_id] for note, _ in started]
        covered = notes.covered([order.id for order in orders if order.refunded_minor])
        sagas = start_sagas(
            [
                _saga(note, way, order, covered.get(order.id, 0))
                for (note, way), order in zip(started, orders, strict=True)
            ],
            now=now,
        )
        for (note, way), saga_id in zip(started, sagas, strict=True):
            _hold(self.orders[note.order_id], note, way, saga_id, now)
        notes.hand_to_sagas({note.id: s for (note, _), s in zip(started, sagas, strict=True)}, now=now)
        reason = "credit notes"
        repository.save(orders, now=now, reason=reason)


def _decide(waiting: Sequence[Note], orders: Mapping[UUID, Order]) -> _Batch:
    paid, to_leave = _ever_paid(orders), _to_leave(orders)
    ways = [(note, _way(note, orders[note.order_id], paid, to_leave)) for note in waiting]
    return _Batch(orders, ways)


def _way(note: Note, order: Order, paid: Collection[UUID], to_leave: Collection[UUID]) -> Way:
    return rules.way_for(
        note.kind, order, note.lines, was_paid=order.id in paid, to_leave=order.id in to_leave
    )


def _to_leave(orders: Mapping[UUID, Order]) -> set[UUID]:
    return still_to_leave([order.id for order in orders.values() if order.in_parcels])


def _ever_paid(orders: Mapping[UUID, Order]) -> set[UUID]:
    """Of the cancelled ones, those that were charged once: when they were confirmed, or with a parcel."""
    ended = [order for order in orders.values() if order.state is State.CANCELLED]
    whole = notes.ever_confirmed([order.id for order in ended if not order.in_parcels])
    return whole | ever_charged([order.id for order in ended if order.in_parcels])


def _hold(order: Order, note: Note, way: Way, saga_id: UUID, now: datetime) -> None:
    """Lock the order for the saga in the commit that starts it. A cancelled order has nothing to lock."""
    if way is Way.CANCEL:
        whole = rules.is_whole(order.lines.values(), rules.within(order.lines.values(), note.lines))
        reason = f"credit note {note.reference}"
        order.request_cancellation(saga_id, reason=reason, whole=whole, now=now)
    elif order.state is not State.CANCELLED:
        order.open_return(saga_id, now=now)


def _saga(note: Note, way: Way, order: Order, covered_minor: int) -> StartSaga:
    # A second try, after a cancellation that lost against the hand-over, is a saga of its own.
    kind = f"note, try {note.tries + 1}"
    return StartSaga(
        definition=CANCEL_FULFILMENT if way is Way.CANCEL else RETURN_GOODS,
        reference=saga_reference(kind, order.external_reference, note.reference),
        shop_id=note.shop_id,
        subject_id=order.id,
        label=f"Credit note {note.reference} of order {order.external_reference}",
        amount_minor=note.amount_minor,
        currency=note.currency,
        search_key=order.external_reference,
        context=_context(note, way, order, covered_minor),
    )


def _context(note: Note, way: Way, order: Order, covered_minor: int) -> dict[str, Any]:
    lines = rules.within(order.lines.values(), note.lines)
    whole = way is Way.CANCEL and rules.is_whole(order.lines.values(), lines)
    open_minor = rules.not_refunded_yet(note.amount_minor, order, covered_minor=covered_minor)
    share = rules.share(open_minor, order, whole=whole)
    return {
        "order_id": str(order.id),
        "refund_minor": share.refund_minor,
        "credit_minor": share.credit_minor,
        "lines": lines,
        "whole": whole,
        "note_id": str(note.id),
    }


def _imported(note_id: UUID, note: NewNote) -> CreditNoteImported:
    return CreditNoteImported(
        credit_note_id=note_id,
        shop_id=note.shop_id,
        reference=note.reference,
        order_id=note.order_id,
        kind=note.kind,
        currency=note.currency,
        amount_minor=note.amount_minor,
        lines=tuple(note.lines),
    )
