"""Orders that need a person: called for by a parked saga, cleared by the person who has looked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from orders import repository
from orders.aggregate import OrderNotFound
from orders.states import State
from sagas.definition import SagaNote

OWNER = "operations"

#: Where an order may not go on to the carrier before a person has looked.
HELD = (State.PENDING, State.CONFIRMED)


def call_attention(notes: Sequence[SagaNote], *, now: datetime) -> None:
    """Flag the orders of parked sagas, in the engine's transaction; before hand-over they go on hold too.

    Safe to repeat. The flags are lifted when the saga ends, or by `clear_attention`.
    """
    orders = repository.load(note.subject_id for note in notes)
    for note in notes:
        order = orders.get(note.subject_id)
        if order is not None:
            hold = order.state in HELD
            order.need_attention(note.reason or "parked", on_hold=hold, owner=OWNER if hold else "", now=now)
    repository.save(orders.values(), now=now)


def call_for(reasons: Mapping[UUID, str], *, hold: bool = False, now: datetime) -> None:
    """Call a person to orders about their money, wherever they stand. Safe to repeat; unknown orders are left out.

    With `hold` what has not been handed over goes on hold too.
    """
    orders = repository.load(reasons) if reasons else {}
    for order in orders.values():
        held = order.on_hold or (hold and order.state in HELD)
        order.need_attention(reasons[order.id][:200], on_hold=held, owner=OWNER if held else "", now=now)
    repository.save(orders.values(), now=now)


def call_off(order_ids: Collection[UUID], *, because: str, now: datetime) -> None:
    """Nobody need come any more, if it was for a reason that begins so and nothing else. Safe to repeat."""
    orders = repository.load(order_ids) if order_ids else {}
    for order in orders.values():
        if order.needs_attention and not order.on_hold and order.attention_reason.startswith(because):
            order.clear_attention(now=now)
    repository.save(orders.values(), now=now)


def clear_attention(order_id: UUID, *, actor: str, reason: str, now: datetime) -> None:
    """Lift both flags. Raises OrderNotFound, or IllegalMove when nothing is flagged."""
    with transaction.atomic():
        order = repository.load([order_id]).get(order_id)
        if order is None:
            raise OrderNotFound
        order.clear_attention(now=now)
        repository.save([order], now=now, actor=actor, reason=reason)
