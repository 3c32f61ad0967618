"""Placing orders: the draft, its lines, the fact and its saga are one commit, for one order or hundreds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from orders import repository
from orders.aggregate import Order
from orders.contract import CHOREOGRAPHY, FULFIL_IN_PARCELS, FULFIL_ORDER
from orders.intake import PlaceOrder
from orders.repository import Key
from orders.states import State
from orders.totals import Totals
from sagas import log
from sagas.engine import StartSaga, start_sagas
from sagas.ids import uuid7
from sagas.people import remember_people
from sagas.verdicts import Refused


@dataclass(frozen=True, slots=True)
class Placed:
    """The order stands. `existing` says that an earlier call has placed it; nothing was changed then.

    `state` is the one a new order begins in.
    """

    order_id: UUID
    external_reference: str
    existing: bool
    state: State = State.DRAFT


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
    nothing. Publishes OrderPlaced and starts orders.fulfil_order for each new one, or
    orders.fulfil_in_parcels. A choreographed order is
    pending at once (OrderAccepted): these two events are all that its other apps go by.
    """
    checked = [_check(order, now) for order in batch]
    wanted: dict[Key, tuple[PlaceOrder, Totals]] = {}
    for order, totals in zip(batch, checked, strict=True):
        if isinstance(totals, Totals):
            wanted.setdefault(order.key, (order, totals))  # of two under one reference the first is placed
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
    orders = [
        Order.place(order.placed(uuid7(), person, totals), now=now)
        for (order, totals), person in zip(fresh, people, strict=True)
    ]
    sagas = {order.id: _saga(order, correlation_id) for order in orders}
    for order in [o for o in orders if o.choreographed]:
        order.accept(sagas[order.id].id, now=now)
    with log.about(led=not any(o.choreographed for o in orders)):
        new = repository.insert(orders, now=now, correlation_id=correlation_id, actor=actor)
    start_sagas([saga for order_id, saga in sagas.items() if order_id in new], now=now)
    ids = {(o.shop_id, o.external_reference): o.id for o in orders if o.id in new}
    lost = [order.key for order, _ in fresh if order.key not in ids]
    return _Outcome(ids | (repository.find(lost) if lost else {}), new)


def _check(order: PlaceOrder, now: datetime) -> Totals | Refused:
    try:
        return order.check(now=now)
    except Refused as refused:
        return refused


def _saga(order: Order, correlation_id: str) -> StartSaga:
    return StartSaga(
        definition=FULFIL_IN_PARCELS if order.in_parcels else FULFIL_ORDER,
        reference=order.external_reference,
        shop_id=order.shop_id,
        subject_id=order.id,
        label=f"Order {order.external_reference}",
        amount_minor=order.total_minor,
        currency=order.currency,
        search_key=order.external_reference,
        context={
            "person_id": str(order.person_id),
            "country": order.country,
            "payment_method": order.payment_method,
            "total_minor": order.total_minor,
            "currency": order.currency,
            **({"in_shares": True} if order.in_parcels else {}),
        },
        correlation_id=correlation_id,
        style=order.fulfilment,
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
        state = State.PENDING if order.fulfilment == CHOREOGRAPHY else State.DRAFT
        answers.append(Placed(order_id, order.external_reference, order_id not in unclaimed, state))
        unclaimed.discard(order_id)
    return answers
