"""Disputes of which nobody told us, or not to their end: the provider is asked, since webhooks may get lost (F20)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from payments.gateways.base import Dispute as TheirDispute
from sagas.sql import rows

#: So often the provider is asked how an open dispute stands.
EVERY = timedelta(hours=6)

# The next look is noted before the first: whoever dies meanwhile leaves it to the next one, later. What was only a
# flag once, before amounts were kept, is asked after even if it has ended.
TAKE = """
WITH due AS (
  SELECT id FROM payments_dispute
   WHERE (state IN ('needs_response', 'under_review') OR amount_minor = 0)
     AND (asked_at IS NULL OR asked_at <= %s)
   ORDER BY asked_at NULLS FIRST, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE payments_dispute d SET asked_at = %s FROM due JOIN payments_dispute o ON o.id = due.id
  JOIN payments_payment p ON p.id = o.payment_id WHERE d.id = due.id
RETURNING p.saga_id, p.provider_id, d.provider_id
"""
KNOWN = """
SELECT provider_id, state, inquiry FROM payments_dispute WHERE provider_id = ANY(%s::text[]) AND amount_minor > 0
"""


def take_due(*, limit: int, now: datetime) -> list[tuple[UUID, str, str]]:
    """Open disputes to be asked about, as (saga of the payment, its name at the provider, the dispute's name)."""
    return [(saga, intent, name) for saga, intent, name in rows(TAKE, [now - EVERY, limit, now])]


def news_among(listed: Sequence[TheirDispute]) -> list[TheirDispute]:
    """Those of the provider's disputes that we have not, or otherwise."""
    ours = {name: rest for name, *rest in rows(KNOWN, [[one.id for one in listed]])} if listed else {}
    return [one for one in listed if ours.get(one.id) != [str(one.status), one.inquiry]]
