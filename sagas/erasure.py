"""Erasing people: their data become unreadable, what was done for them stays in the books under an id.

A person is locked before anybody is asked who needs them. Whoever stores something for a person holds the same
lock until its commit (`remember_people`), so it is seen here, or finds the row renamed and makes a new one.

Erased is the customer: all rows of one, also those made since somebody looked them up. Whoever gives a customer another
row for what is open already (a corrected address) holds the customer, as an erasure does (`hold_customers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db import transaction

from sagas import log
from sagas.contract import ErasureRequested, PersonErased
from sagas.operate import ReasonMissing
from sagas.people import Use, customers_of, hold_customers, uses_of
from sagas.personal import Erasure
from sagas.sql import execute, rows

#: So many people are looked at, or erased, in one transaction.
MOST_AT_ONCE = 500
#: So many are found by a search of staff.
MOST_FOUND = 200

#: A customer's rows: the reference itself, or followed by one more part. `_` and `%` in it are meant as they are.
BY_REFERENCE = r"""
SELECT id FROM sagas_person
 WHERE shop_id = %(shop)s
   AND (reference = %(reference)s
        OR (reference LIKE %(prefix)s AND position('/' IN substr(reference, length(%(reference)s) + 2)) = 0))
 ORDER BY id
"""
BY_EMAIL = """
SELECT id FROM sagas_person WHERE lower(email) = lower(%s) AND email <> '' AND (%s::uuid IS NULL OR shop_id = %s)
 ORDER BY id
"""
#: The same in every shop: one probe of the index finds the next shop, another its people.
IN_EVERY_SHOP = r"""
WITH RECURSIVE shops AS (
  (SELECT shop_id FROM sagas_person ORDER BY shop_id LIMIT 1)
  UNION ALL
  SELECT (SELECT p.shop_id FROM sagas_person p WHERE p.shop_id > s.shop_id ORDER BY p.shop_id LIMIT 1)
    FROM shops s WHERE s.shop_id IS NOT NULL
)
SELECT f.id FROM shops s CROSS JOIN LATERAL (
  SELECT id FROM sagas_person p
   WHERE p.shop_id = s.shop_id
     AND (reference = %(reference)s
          OR (reference LIKE %(prefix)s AND position('/' IN substr(reference, length(%(reference)s) + 2)) = 0))
  LIMIT %(limit)s) f
 LIMIT %(limit)s
"""
#: All rows of some customers. Ranges of the unique index, which is built for prefixes ("0" comes after "/").
OF_CUSTOMERS = """
SELECT f.id FROM unnest(%s::uuid[], %s::text[]) AS c (shop_id, customer) CROSS JOIN LATERAL (
  SELECT id FROM sagas_person p WHERE p.shop_id = c.shop_id AND p.reference = c.customer
  UNION ALL
  SELECT id FROM sagas_person p
   WHERE p.shop_id = c.shop_id AND p.reference > c.customer || '/' AND p.reference < c.customer || '0'
     AND position('/' IN substr(p.reference, length(c.customer) + 2)) = 0) f
"""
SEEN = "SELECT id, shop_id, erased_at IS NOT NULL FROM sagas_person WHERE id = ANY(%s::uuid[]) ORDER BY id"

# In the order in which orders lock them, so that the two cannot deadlock.
LOCK = """
SELECT id, shop_id, erased_at IS NOT NULL FROM sagas_person
 WHERE id = ANY(%s::uuid[]) ORDER BY shop_id, reference FOR UPDATE
"""
#: Nothing new finds its way to a row that is called so.
SET_APART = "UPDATE sagas_person SET reference = 'erased/' || id WHERE id = ANY(%s::uuid[])"
ERASE = """
UPDATE sagas_person
   SET name = '', email = '', address = '{}', reference = 'erased/' || id, erased_at = %s
 WHERE id = ANY(%s::uuid[])
"""
ASK = """
INSERT INTO sagas_erasure (person_id, actor, reason, asked_at)
SELECT p.id, %s, %s, %s::timestamptz FROM unnest(%s::uuid[]) AS p (id)
ON CONFLICT (person_id) DO NOTHING RETURNING person_id
"""
ANSWER = "DELETE FROM sagas_erasure WHERE person_id = ANY(%s::uuid[]) RETURNING person_id, actor, reason"

Fate = Literal["erased", "waiting", "erased before"]


@dataclass(frozen=True, slots=True)
class Erased:
    """What becomes of one person. `waiting`: something open still needs the data, then it is erased."""

    person_id: UUID
    fate: Fate
    uses: Mapping[str, Use]


@dataclass(frozen=True, slots=True)
class _Row:
    shop_id: UUID
    erased: bool


def find_people(*, shop_id: UUID | None = None, reference: str = "", email: str = "") -> list[UUID]:
    """Everybody kept under a shop's reference of a customer, or under an e-mail address, whatever its case.

    A reference needs its shop; with an e-mail address a shop narrows it. Raises ValueError without either.
    """
    if reference and shop_id is not None:
        found = rows(BY_REFERENCE, {"shop": shop_id, "reference": reference, "prefix": _prefix(reference)})
    elif email and not reference:
        found = rows(BY_EMAIL, [email, shop_id, shop_id])
    else:
        raise ValueError("People are found by shop and reference, or by e-mail address.")
    return [row[0] for row in found]


def search_people(text: str) -> list[UUID]:
    """Whoever is meant by an id, an e-mail address or a reference of a customer in any shop; 200 at most."""
    try:
        return [UUID(text)]
    except ValueError:
        named = {"reference": text, "prefix": _prefix(text), "limit": MOST_FOUND}
    found = [row[0] for row in rows(IN_EVERY_SHOP, named)] if text else []
    return [*found, *(find_people(email=text) if "@" in text else [])][:MOST_FOUND]


def foresee(person_ids: Sequence[UUID]) -> list[Erased]:
    """What erasing these people, and the others of their customers, would do now. Unknown ids are left out."""
    with_others = [*person_ids, *_of_customers(customers_of(person_ids))]
    return [one for some in _batches(with_others) for one in _fates(_rows(SEEN, some))]


def erase_people(person_ids: Sequence[UUID], *, actor: str, reason: str, now: datetime) -> list[Erased]:
    """Make people unreadable; who is still needed is set apart and erased when the last need has ended.

    With them go the other rows of their customers, also one that a correction makes at this moment. A bounded batch per
    transaction, safe to repeat. Unknown ids are left out. `actor` and `reason` stay in the log for ever, so neither may
    name the person. Publishes PersonErased, or ErasureRequested for those that wait. Raises ReasonMissing.
    """
    if not actor.strip() or not reason.strip():
        raise ReasonMissing
    who = (actor[:100], reason)
    told: dict[UUID, Erased] = {}
    for some in _batches(person_ids):
        for one in _erase(some, who, now):
            told.setdefault(one.person_id, one)
    return list(told.values())


def erase_waiting(*, now: datetime) -> int:
    """Erase a batch of those whose last need has ended; how many. Who is still needed holds up nobody."""
    after = UUID(int=0)
    while waiting := _waiting(after):
        ready = [one.person_id for one in _fates(_rows(SEEN, waiting)) if one.fate == "erased"]
        if count := _erase_asked(ready, now):
            return count
        after = waiting[-1]
    return 0


def _prefix(reference: str) -> str:
    return reference.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "/%"


def _batches(ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    once = list(dict.fromkeys(ids))
    return (once[at : at + MOST_AT_ONCE] for at in range(0, len(once), MOST_AT_ONCE))


def _waiting(after: UUID) -> list[UUID]:
    found = Erasure.objects.filter(person_id__gt=after).order_by("person_id")
    return list(found.values_list("person_id", flat=True)[:MOST_AT_ONCE])


def _of_customers(customers: Iterable[tuple[UUID, str]]) -> list[UUID]:
    known = sorted(customers)
    columns = [[shop for shop, _ in known], [customer for _, customer in known]]
    return sorted(row[0] for row in rows(OF_CUSTOMERS, columns)) if known else []


def _rows(sql: str, ids: Sequence[UUID]) -> dict[UUID, _Row]:
    return {person_id: _Row(*row) for person_id, *row in rows(sql, [list(ids)])}


def _fates(people: Mapping[UUID, _Row]) -> list[Erased]:
    uses = uses_of(list(people))
    return [Erased(i, _fate(row, uses[i]), uses[i]) for i, row in people.items()]


def _fate(row: _Row, uses: Mapping[str, Use]) -> Fate:
    if row.erased:
        return "erased before"
    return "waiting" if any(use.open for use in uses.values()) else "erased"


def _erase(ids: Sequence[UUID], who: tuple[str, str], now: datetime) -> list[Erased]:
    with transaction.atomic():
        others = _of_customers(hold_customers(ids))  # looked up while nobody can make another
        people = _rows(LOCK, list({*ids, *others}))
        fates = _fates(people)  # read after the lock: what was stored before it is committed and seen
        ready = [one.person_id for one in fates if one.fate == "erased"]
        waits = [one.person_id for one in fates if one.fate == "waiting"]
        _make_unreadable(ready, now)
        rows(ANSWER, [ready])
        execute(SET_APART, [waits])
        asked = [row[0] for row in rows(ASK, [*who, now, waits])]
        events = [_event(PersonErased, i, people) for i in ready]
        events += [_event(ErasureRequested, i, people) for i in asked]
        log.publish(events, now=now, actor=who[0], reason=who[1])
    return fates


def _erase_asked(ids: Sequence[UUID], now: datetime) -> int:
    """Carry out what was asked for, in the name of who asked."""
    with transaction.atomic():
        people = _rows(LOCK, ids)
        ready = [one.person_id for one in _fates(people) if one.fate == "erased"]
        _make_unreadable(ready, now)
        asked = rows(ANSWER, [ready])
        events = [_event(PersonErased, i, people, actor, reason) for i, actor, reason in asked]
        log.publish(events, now=now)
    return len(asked)


def _make_unreadable(ids: Sequence[UUID], now: datetime) -> None:
    if ids:
        execute(ERASE, [now, list(ids)])


def _event(
    kind: type[PersonErased | ErasureRequested],
    person_id: UUID,
    people: Mapping[UUID, _Row],
    actor: str = "",
    reason: str = "",
) -> log.Append:
    event = kind(person_id=person_id, shop_id=people[person_id].shop_id)
    return log.Append(person_id, None, event, actor=actor, reason=reason)
