"""Personal data, in one erasable place. Everything else holds an opaque id."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sagas.ids import uuid7
from sagas.personal import Person
from sagas.sql import execute, rows

__all__ = [
    "Person",
    "PersonData",
    "Use",
    "customer_of",
    "customers_of",
    "hold_customers",
    "move_person",
    "needed_by",
    "read_people",
    "references_of",
    "remember_people",
    "uses_of",
]

#: How the reference of a person begins who was erased: it tells nothing any more.
ERASED = "erased/"

# A person seen twice in one batch is written once, with the last word: ON CONFLICT may not touch a row twice.
REMEMBER = """
INSERT INTO sagas_person AS p (id, shop_id, reference, name, email, address, made_at)
SELECT u.*, %s::timestamptz
  FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::jsonb[]) AS u
 ORDER BY 2, 3
ON CONFLICT (shop_id, reference) DO UPDATE
   SET name = excluded.name, email = excluded.email, address = excluded.address
 WHERE (p.name, p.email, p.address) IS DISTINCT FROM (excluded.name, excluded.email, excluded.address)
RETURNING shop_id, reference, id
"""

# Those that stood there as they were sent: nothing was written, so nothing was returned.
FIND = """
SELECT p.shop_id, p.reference, p.id
  FROM sagas_person p JOIN unnest(%s::uuid[], %s::text[]) AS w (shop_id, reference) USING (shop_id, reference)
"""

HOLD = """
SELECT pg_advisory_xact_lock(hashtextextended('waybill.customer|' || c.name, 0)) FROM unnest(%s::text[]) AS c (name)
"""
MOVE = "UPDATE sagas_person SET address = %s::jsonb WHERE id = %s AND erased_at IS NULL"


@dataclass(frozen=True)
class PersonData:
    """What is known of one person of one shop. `reference` is the shop's own name for them.

    One customer may be several people: then the reference is the customer's, a slash and what tells them apart.
    """

    shop_id: UUID
    reference: str
    name: str = ""
    email: str = ""
    address: dict[str, str] = field(default_factory=dict)


def customer_of(reference: str) -> str:
    """The customer in a person's reference: without what tells the customer's people apart. "" once erased."""
    if reference.startswith(ERASED):
        return ""
    return reference.rpartition("/")[0] or reference


def customers_of(people: Iterable[UUID]) -> set[tuple[UUID, str]]:
    """The customers of these people, as (shop, customer), without those who were erased or are about to be."""
    found = Person.objects.filter(pk__in=set(people)).values_list("shop_id", "reference")
    return {(shop, customer) for shop, reference in found if (customer := customer_of(reference))}


def hold_customers(people: Iterable[UUID]) -> set[tuple[UUID, str]]:
    """Keep others from erasing the customers of these people, or giving them another row, until the commit.

    Take it before any row of a person. Those it holds, as (shop, customer). What was read of them before may be old.
    """
    customers = customers_of(people)
    if customers:  # everybody in one order, so that no two wait for each other
        rows(HOLD, [sorted(f"{shop}|{customer}" for shop, customer in customers)])
    return customers


def remember_people(people: Sequence[PersonData], *, now: datetime) -> list[UUID]:
    """Store or refresh people; their ids in the same order. Safe to repeat.

    Their rows stay locked until the caller's transaction ends, so that an erasure sees what else it writes. Who
    comes back after an erasure, done or asked for, is somebody new.
    """
    last = {(p.shop_id, p.reference): p for p in people}
    if not last:
        return []
    keep = list(last.values())
    with_ids = [
        now,
        [uuid7() for _ in keep],
        [p.shop_id for p in keep],
        [p.reference for p in keep],
        [p.name for p in keep],
        [p.email for p in keep],
        [json.dumps(p.address) for p in keep],
    ]
    found = {(shop, reference): person for shop, reference, person in rows(REMEMBER, with_ids)}
    same = [key for key in last if key not in found]
    if same:
        params = [[shop for shop, _ in same], [reference for _, reference in same]]
        found |= {(shop, reference): person for shop, reference, person in rows(FIND, params)}
    return [found[p.shop_id, p.reference] for p in people]


def move_person(person_id: UUID, address: Mapping[str, str]) -> bool:
    """Another address in a person's own row; False if they were erased. For those whom no reference leads to."""
    return bool(execute(MOVE, [json.dumps(dict(address)), person_id]))


def read_people(ids: Iterable[UUID]) -> dict[UUID, PersonData]:
    """People by id. One who was erased comes back with empty fields."""
    found = Person.objects.filter(pk__in=set(ids))
    return {p.pk: PersonData(p.shop_id, p.reference, p.name, p.email, p.address) for p in found}


def references_of(ids: Iterable[UUID]) -> dict[UUID, str]:
    """How shops name people, by id. Who was erased, or is to be, has no name any more and is left out."""
    found = Person.objects.filter(pk__in=set(ids)).values_list("pk", "reference")
    return {person: reference for person, reference in found if not reference.startswith(ERASED)}


@dataclass(frozen=True, slots=True)
class Use:
    """How many objects hold a person's id, and how many of those are open: they still need the data."""

    all: int
    open: int


#: For a bounded batch of people: the use of each who is used at all. Must read what is committed, in one statement.
Users = Callable[[Sequence[UUID]], Mapping[UUID, Use]]

_users: dict[str, Users] = {}


def needed_by(what: str) -> Callable[[Users], Users]:
    """Register who holds ids of people; `what` is their plural, for people to read. Nobody open is erased."""

    def register(users: Users) -> Users:
        _users[what] = users
        return users

    return register


def uses_of(person_ids: Sequence[UUID]) -> dict[UUID, dict[str, Use]]:
    """Who uses these people, by the registered plural. One statement for each who registered."""
    found: dict[UUID, dict[str, Use]] = {person_id: {} for person_id in person_ids}
    for what, users in _users.items():
        for person_id, use in users(person_ids).items():
            found[person_id][what] = use
    return found
