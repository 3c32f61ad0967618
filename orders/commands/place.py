"""Placing orders: the draft, its lines, the fact and its saga are one commit, for one order or hundreds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from orders import repository
from orders.contract import FULFIL_ORDER, OrderPlaced
from orders.intake import PlaceOrder
from orders.repository import Key
from orders.totals import Totals
from sagas.engine import StartSaga, start_sagas
from sagas.ids import uuid7
from sagas.people import remember_people
from sagas.verdicts import Refused


@dataclass(frozen=True, slots=True)
class Placed:
    """The order stands. `existing` says that an earlier call has placed it; nothing was changed then."""

    order_id: UUID
    external_reference: str
    existing: bool


def place_order(order: PlaceOrder, *, now: datetime, correlation_id: str = "", actor: str = "api") -> Placed:
    """Place one order. Safe to repeat. Raises InvalidOrder; see `place_orders`."""
    (answer,) = place_orders([order], now=now, correlation_id=correlation_id, actor=actor)
    if isinstance(answer, Refused):
        raise answer
    return answer


def place_orders(
    batch: Sequence[PlaceOrder], *, now: datetime, correlation_id: str = "", actor: str = "api"
) -> list[Placed | Refused]:
    """Place many orders in one commit and a fixed number of statements; an answer each, in order.

    An order is known by its shop and reference: placed again, even at the same moment by another process,
    it is answered with the first one's id. One that cannot be taken is answered with InvalidOrder and leaves
    nothing. Publishes OrderPlaced and starts orders.fulfil_order for each new one.
    """
    checked = [_check(order, now) for order in batch]
    wanted = {o.key: (o, t) for o, t in zip(batch, checked, strict=True) if isinstance(t, Totals)}
    with transaction.atomic(savepoint=False):
        known = repository.find(list(wanted)) if wanted else {}
        fresh = [pair for key, pair in wanted.items() if key not in known]
        placed = _place(fresh, now=now, correlation_id=correlation_id, actor=actor)
    return _answers(batch, checked, known | placed.ids, placed.new)


@dataclass(frozen=True, slots=True)
class _Outcome:
    ids: dict[Key, UUID]
    new: set[UUID]


def _place(
    fresh: Sequence[tuple[PlaceOrder, Totals]], *, now: datetime, correlation_id: str, actor: str
) -> _Outcome:
    if not fresh:
        return _Outcome({}, set())
    people = remember_people([order.person() for order, _ in fresh], now=now)
    events = [
        order.placed(uuid7(), person, totals) for (order, totals), person in zip(fresh, people, strict=True)
    ]
    new = repository.insert(events, now=now, correlation_id=correlation_id, actor=actor)
    start_sagas([_saga(e, correlation_id) for e in events if e.order_id in new], now=now)
    ids = {(e.shop_id, e.external_reference): e.order_id for e in events if e.order_id in new}
    lost = [order.key for order, _ in fresh if order.key not in ids]
    return _Outcome(ids | (repository.find(lost) if lost else {}), new)


def _check(order: PlaceOrder, now: datetime) -> Totals | Refused:
    try:
        return order.check(now=now)
    except Refused as refused:
        return refused


def _saga(event: OrderPlaced, correlation_id: str) -> StartSaga:
    return StartSaga(
        definition=FULFIL_ORDER,
        reference=event.external_reference,
        shop_id=event.shop_id,
        subject_id=event.order_id,
        label=f"Order {event.external_reference}",
        amount_minor=event.total_minor,
        currency=event.currency,
        search_key=event.external_reference,
        context={
            "person_id": str(event.person_id),
            "country": event.country,
            "payment_method": event.payment_method,
            "total_minor": event.total_minor,
            "currency": event.currency,
        },
        correlation_id=correlation_id,
    )


def _answers(
    batch: Sequence[PlaceOrder], checked: Sequence[Totals | Refused], ids: dict[Key, UUID], new: set[UUID]
) -> list[Placed | Refused]:
    unclaimed = set(new)
    answers: list[Placed | Refused] = []
    for order, totals in zip(batch, checked, strict=True):
        if isinstance(totals, Refused):
            answers.append(totals)
            continue
        order_id = ids[order.key]
        answers.append(Placed(order_id, order.external_reference, existing=order_id not in unclaimed))
        unclaimed.discard(order_id)
    return answers
