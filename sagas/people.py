"""Personal data, in one erasable place. Everything else holds an opaque id."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sagas.ids import uuid7
from sagas.models import Person
from sagas.sql import rows

__all__ = ["Person", "PersonData", "read_people", "remember_people"]

# A person seen twice in one batch is written once, with the last word: ON CONFLICT may not touch a row twice.
REMEMBER = """
INSERT INTO sagas_person AS p (id, shop_id, reference, name, email, address, made_at)
SELECT u.*, %s::timestamptz
  FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::jsonb[]) AS u
 ORDER BY 2, 3
ON CONFLICT (shop_id, reference) DO UPDATE
   SET name = excluded.name, email = excluded.email, address = excluded.address
 WHERE p.erased_at IS NULL
   AND (p.name, p.email, p.address) IS DISTINCT FROM (excluded.name, excluded.email, excluded.address)
"""

FIND = """
SELECT p.shop_id, p.reference, p.id
  FROM sagas_person p JOIN unnest(%s::uuid[], %s::text[]) AS w (shop_id, reference) USING (shop_id, reference)
"""


@dataclass(frozen=True)
class PersonData:
    """What is known of one person of one shop. `reference` is the shop's own name for them."""

    shop_id: UUID
    reference: str
    name: str = ""
    email: str = ""
    address: dict[str, str] = field(default_factory=dict)


def remember_people(people: Sequence[PersonData], *, now: datetime) -> list[UUID]:
    """Store or refresh people; their ids in the same order. Safe to repeat. An erased person stays erased."""
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
    rows(REMEMBER + " RETURNING 1", with_ids)
    found = {(s, r): i for s, r, i in rows(FIND, [[p.shop_id for p in keep], [p.reference for p in keep]])}
    return [found[p.shop_id, p.reference] for p in people]


def read_people(ids: Iterable[UUID]) -> dict[UUID, PersonData]:
    """People by id. One who was erased comes back with empty fields."""
    found = Person.objects.filter(pk__in=set(ids))
    return {p.pk: PersonData(p.shop_id, p.reference, p.name, p.email, p.address) for p in found}
