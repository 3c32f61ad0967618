"""Who orders still need: the address of a parcel is read when its label is bought, and may be again."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from orders.states import FINAL
from sagas.people import Use, needed_by
from sagas.sql import rows

# A lock on a completed order is a return at work.
USES = """
SELECT person_id, count(*), count(*) FILTER (WHERE state <> ALL (%s::text[]) OR lock_kind <> '')
  FROM orders_order WHERE person_id = ANY(%s::uuid[]) GROUP BY person_id
"""


@needed_by("orders")
def uses(person_ids: Sequence[UUID]) -> dict[UUID, Use]:
    """How many orders people have, and how many of those have not ended, or are being returned."""
    found = rows(USES, [[str(state) for state in FINAL], list(person_ids)])
    return {person_id: Use(all_, open_) for person_id, all_, open_ in found}
