"""Reads of the write side: an order's lines and story, its saga, shops and their tokens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS

from orders import tokens
from orders.contract import FULFIL_IN_PARCELS, FULFIL_ORDER, OrderPlaced
from orders.models import Order, OrderLine, Shop
from orders.states import State
from sagas import log
from sagas.models import Saga
from sagas.people import read_people, references_of
from sagas.sql import rows

# Every request asks this first: the statement is written out, since to compose it takes five times as long.
SHOP_OF = """
SELECT t.digest, s.id, s.slug, s.name, s.made_at
  FROM orders_apitoken t JOIN orders_shop s ON s.id = t.shop_id
 WHERE t.prefix = %s AND t.revoked_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class StoryPart:
    """One fact of an order's history, as it was committed."""

    version: int
    what: str
    at: datetime
    actor: str
    reason: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PlacedBefore:
    """An order as it was placed, and the state it is in now. `person` is how its person is known, "" once erased."""

    placed: OrderPlaced
    person: str
    state: State


def placed_before(order_ids: Collection[UUID]) -> dict[UUID, PlacedBefore]:
    """Orders as they were placed, by id. Three statements, whatever the number, and none for no order."""
    if not order_ids:
        return {}
    states = dict(Order.objects.filter(pk__in=order_ids).values_list("pk", "state"))
    firsts = log.read_ranges(dict.fromkeys(order_ids, (0, 1)))
    placed = {stream: cast("OrderPlaced", events[0].event) for stream, events in firsts.items()}
    people = references_of({fact.person_id for fact in placed.values()})
    return {i: PlacedBefore(p, people.get(p.person_id, ""), State(states[i])) for i, p in placed.items()}


def lines_of(order_id: UUID, *, using: str = DEFAULT_DB_ALIAS) -> list[OrderLine]:
    """The lines of one order by position."""
    return list(OrderLine.objects.using(using).filter(order_id=order_id).order_by("position"))


def story_of(order_id: UUID) -> list[StoryPart]:
    """Everything that happened to one order, oldest first. Empty if there is no such order."""
    return [
        StoryPart(
            recorded.version,
            recorded.type.removeprefix("orders."),
            recorded.at,
            recorded.metadata.get("actor", ""),
            recorded.metadata.get("reason", ""),
            recorded.event.to_data(),
        )
        for recorded in log.read(order_id)
    ]


def address_of(order_id: UUID) -> dict[str, str]:
    """Where an order goes, as far as it is known. Personal data: for whoever is to correct it."""
    person = Order.objects.values_list("person_id", flat=True).get(pk=order_id)
    found = read_people([person]) if person else {}
    return found[person].address if person in found else {}


def fulfilment_saga(order_id: UUID) -> UUID:
    """The saga that was started with the order. Raises Saga.DoesNotExist for an id that is no order."""
    return Saga.objects.values_list("pk", flat=True).get(
        subject_id=order_id, definition__in=(FULFIL_ORDER, FULFIL_IN_PARCELS)
    )


def authenticate_token(text: str) -> Shop | None:
    """The shop a token belongs to, or None if it is unknown, altered or revoked."""
    token = tokens.parse(text)
    if token is None:
        return None
    for digest, shop_id, slug, name, made_at in rows(SHOP_OF, [token.prefix]):
        if tokens.matches(token, digest):
            return Shop(id=shop_id, slug=slug, name=name, made_at=made_at)
    return None


def shop_by_slug(slug: str) -> Shop | None:
    """The shop of that short name, or None."""
    return Shop.objects.filter(slug=slug).first()
