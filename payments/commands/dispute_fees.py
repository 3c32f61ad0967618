"""What disputes cost. No fee is an expense twice: when the provider tells it, and in its settlement report.

Both sides lock the disputes' names, so the second sees what the first has booked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sagas.sql import execute, rows

LOCK = """
SELECT pg_advisory_xact_lock(hashtextextended('payments.dispute_fee ' || name, 0))
  FROM (SELECT DISTINCT unnest(%s::text[]) AS name ORDER BY 1) AS names
"""
# By payment and name: what was booked for a dispute itself, and what settlement lines that name it have booked.
BOOKED = """
SELECT d.id, coalesce(sum(l.amount_minor) FILTER (WHERE l.account = 'provider_fees'), 0)::bigint,
       -coalesce(sum(l.amount_minor) FILTER (WHERE l.account = 'provider_fees_due'), 0)::bigint
  FROM unnest(%s::uuid[], %s::text[]) AS d (id, name)
 CROSS JOIN LATERAL (
   SELECT e.id FROM payments_journalentry e WHERE e.kind = 'settlement' AND e.source_id IN (
     SELECT s.id FROM payments_settlementline s WHERE s.object_id = d.name AND s.type = 'dispute')
   UNION ALL
   SELECT e.id FROM payments_disputefee f JOIN payments_journalentry e
       ON e.kind = 'dispute_fee' AND e.source_id = f.id WHERE f.dispute_id = d.id
 ) AS entries
  JOIN payments_journalline l ON l.entry_id = entries.id AND l.currency = %s
 GROUP BY 1
"""


@dataclass(frozen=True)
class Booked:
    """What the books have of the fees of a dispute: as an expense, and as told and not settled yet."""

    expensed_minor: int = 0
    due_minor: int = 0


def lock_fees(names: Collection[str]) -> None:
    """Have the fees of these disputes to oneself until the transaction ends. By name, so that none can deadlock."""
    if names:
        execute(LOCK, [list(names)])


def booked_fees(disputes: Sequence[tuple[UUID, str]], currency: str) -> dict[UUID, Booked]:
    """What was booked in a currency for disputes, by our ids with the provider's names. Without any: left out."""
    if not disputes:
        return {}
    ids, names = zip(*disputes, strict=True)
    return {ident: Booked(*sums) for ident, *sums in rows(BOOKED, [list(ids), list(names), currency])}
