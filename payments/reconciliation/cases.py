"""Cases written by the page: opened once, kept up to date, closed when the difference is gone."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from payments.reconciliation.compare import Finding
from payments.reconciliation.rows import Case
from sagas.ids import uuid7
from sagas.sql import execute, rows

# What a person has resolved stays quiet while both sides say what they said then.
RECORD = """
INSERT INTO payments_case AS c (
  id, kind, about, object_id, shop_id, order_id, payment_id, refund_id, saga_id, reference, ours, theirs,
  at_stake_minor, currency, state, run_id, first_seen, last_seen, how, resolved_by, reason)
SELECT f.id, f.kind, f.about, f.object_id, f.shop_id, f.order_id, f.payment_id, f.refund_id, f.saga_id,
       f.reference, f.ours::jsonb, f.theirs::jsonb, f.at_stake_minor, f.currency, 'open', %s::uuid,
       %s::timestamptz, %s::timestamptz, '', '', ''
  FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[],
              %s::uuid[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[])
    AS f (id, kind, about, object_id, shop_id, order_id, payment_id, refund_id, saga_id, reference, ours, theirs,
          at_stake_minor, currency)
 WHERE NOT EXISTS (
   SELECT FROM payments_case r
    WHERE r.object_id = f.object_id AND r.kind = f.kind AND r.state = 'resolved'
      AND r.ours = f.ours::jsonb AND r.theirs = f.theirs::jsonb)
ON CONFLICT (kind, object_id) WHERE state = 'open' DO UPDATE
   SET ours = excluded.ours, theirs = excluded.theirs, at_stake_minor = excluded.at_stake_minor,
       currency = excluded.currency, shop_id = excluded.shop_id, order_id = excluded.order_id,
       payment_id = excluded.payment_id, refund_id = excluded.refund_id, saga_id = excluded.saga_id,
       run_id = excluded.run_id, last_seen = excluded.last_seen
RETURNING c.id
"""
CLOSE = """
UPDATE payments_case c SET state = 'closed', ended_at = %s
 WHERE c.state = 'open' AND c.about = %s AND c.object_id = ANY(%s::text[])
   AND NOT EXISTS (SELECT FROM unnest(%s::text[], %s::text[]) AS f (kind, object_id)
                    WHERE f.kind = c.kind AND f.object_id = c.object_id)
"""
UNMET = """
SELECT id FROM payments_case
 WHERE state = 'open' AND about <> 'settlement' AND run_id IS DISTINCT FROM %s AND id > %s ORDER BY id LIMIT %s
"""


def record(findings: Sequence[Finding], *, run: UUID | None, now: datetime) -> int:
    """Open a case for every difference that has none, and bring the others up to date. How many are open of them.

    Safe to repeat. A difference that a person has resolved, and that has not changed since, opens nothing.
    """
    once = {(f.kind, f.object_id): f for f in findings}
    if not once:
        return 0
    table = [_row(f) for _, f in sorted(once.items())]
    return len(rows(RECORD, [run, now, now, *([*column] for column in zip(*table, strict=True))]))


def close_gone(about: str, met: Collection[str], findings: Sequence[Finding], *, now: datetime) -> int:
    """Close the cases about objects that were compared just now and no longer differ in that way. How many."""
    if not met:
        return 0
    kinds, objects = [f.kind for f in findings], [f.object_id for f in findings]
    return execute(CLOSE, [now, about, list(met), kinds, objects], prepare=False)


def unmet(run: UUID, *, cursor: UUID, limit: int) -> list[Case]:
    """Open cases that this run has not seen yet, by id."""
    ids = [ident for (ident,) in rows(UNMET, [run, cursor, limit])]
    return list(Case.objects.filter(pk__in=ids).order_by("id"))


def _row(f: Finding) -> tuple[object, ...]:
    return (
        uuid7(), str(f.kind), str(f.about), f.object_id, f.shop_id, f.order_id, f.payment_id, f.refund_id, f.saga_id,
        f.reference, json.dumps(dict(f.ours)), json.dumps(dict(f.theirs)), f.at_stake_minor, f.currency,
    )  # fmt: skip
