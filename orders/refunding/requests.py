"""Rows of requests, read and written under their order's lock, each with its fact."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orders.contract import RefundDeclined, RefundEnded
from orders.refunding.models import RefundRequest
from orders.worth import Promised
from sagas.log import Append, publish
from sagas.sql import execute, rows

State = RefundRequest.State

PROMISED = """
SELECT order_id, amount_minor, lines FROM orders_refundrequest
 WHERE order_id = ANY(%s::uuid[]) AND state = 'awaiting_approval'
"""

# What went back on one person's word alone; what a second person approved or declined, or a bank overtook, is not.
ALONE = """
SELECT coalesce(sum(amount_minor), 0)::bigint FROM orders_refundrequest
 WHERE order_id = %s AND decided_by = '' AND state NOT IN ('awaiting_approval', 'declined', 'refused')
"""

LOCK = "SELECT FROM orders_refundrequest WHERE saga_id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE"

OF_SAGAS = """
SELECT id, shop_id, order_id, saga_id, version, currency, amount_minor, lines, state = 'owed', repaid_at IS NOT NULL
  FROM orders_refundrequest WHERE saga_id = ANY(%s::uuid[]) AND ended_at IS NULL
 ORDER BY id FOR NO KEY UPDATE
"""

# What came back to us before its saga was through is owed; what was then paid another way is paid. Nothing at all:
# the customer's bank had it.
CLOSE = """
UPDATE orders_refundrequest r
   SET version = r.version + 1, refund_id = coalesce(u.refund_id, r.refund_id),
       credited_minor = u.credited, ended_at = u.at, moved_at = u.at,
       refunded_minor = CASE WHEN back.owed THEN 0 ELSE u.refunded END,
       owed_minor = CASE WHEN back.owed THEN u.refunded + u.owed ELSE u.owed END,
       state = CASE WHEN back.owed OR u.owed > 0 THEN 'owed'
                    WHEN u.refunded + u.credited = 0 THEN 'refused' ELSE 'paid' END
  FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
    AS u (id, refund_id, refunded, credited, owed, at)
 CROSS JOIN LATERAL (
   SELECT s.returned_at IS NOT NULL AND s.repaid_at IS NULL AND u.refunded > 0 AS owed
     FROM orders_refundrequest s WHERE s.id = u.id) AS back
 WHERE r.id = u.id
RETURNING r.id, r.refunded_minor, r.credited_minor, r.owed_minor
"""

# Owed is what the provider was to pay; what is customer credit besides is not owed a second time. One that a person has
# ended as paid, with nothing heard of its refund, was not.
FAILED = """
UPDATE orders_refundrequest r
   SET state = 'owed', owed_minor = u.amount, refund_id = u.refund_id, refunded_minor = 0, moved_at = %s
  FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[]) AS u (saga_id, amount, refund_id)
 WHERE r.saga_id = u.saga_id
   AND (r.state = 'running' OR (r.state = 'paid' AND r.refund_id IS NULL AND r.repaid_at IS NULL))
"""

# Nothing of it went back: a person has ended its saga by hand, and it is nobody's any more.
DROP = """
UPDATE orders_refundrequest
   SET state = 'declined', saga_id = NULL, version = version + 1, decided_by = %s, decision_reason = %s,
       decided_at = %s, moved_at = %s
 WHERE id = %s AND ended_at IS NULL
"""

RETURNED = """
UPDATE orders_refundrequest r
   SET returned_at = %s, moved_at = %s, state = 'owed', refunded_minor = 0, owed_minor = u.amount
  FROM unnest(%s::uuid[], %s::bigint[]) AS u (saga_id, amount)
 WHERE r.saga_id = u.saga_id AND r.returned_at IS NULL AND r.repaid_at IS NULL
   AND (r.ended_at IS NULL OR r.refunded_minor > 0)
"""

# What was owed, or came back to us unheard, has the customer from their bank. One whose saga is still on its way is
# closed by it.
REFUSED = """
UPDATE orders_refundrequest r
   SET moved_at = %s, returned_at = CASE WHEN r.state = 'paid' THEN coalesce(r.returned_at, %s) ELSE r.returned_at END,
       dropped_minor = r.dropped_minor + u.amount, refunded_minor = 0, owed_minor = left_.minor,
       state = CASE WHEN left_.minor = 0 THEN 'refused' ELSE 'owed' END
  FROM unnest(%s::uuid[], %s::bigint[]) AS u (saga_id, amount)
 CROSS JOIN LATERAL (
   SELECT s.owed_minor + s.refunded_minor - u.amount AS minor FROM orders_refundrequest s
    WHERE s.saga_id = u.saga_id) AS left_
 WHERE r.saga_id = u.saga_id AND r.ended_at IS NOT NULL AND r.state IN ('owed', 'paid') AND left_.minor >= 0
"""

# One whose saga is still on its way is closed by it.
REPAID = """
UPDATE orders_refundrequest r
   SET repaid_at = %s, moved_at = %s,
       state = CASE WHEN r.ended_at IS NULL THEN r.state ELSE 'paid' END,
       refunded_minor = CASE WHEN r.ended_at IS NULL THEN r.refunded_minor ELSE r.refunded_minor + r.owed_minor END,
       owed_minor = CASE WHEN r.ended_at IS NULL THEN r.owed_minor ELSE 0 END
 WHERE r.saga_id = ANY(%s::uuid[]) AND r.repaid_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Open:
    """A request whose saga is at its end, under its lock."""

    id: UUID
    shop_id: UUID
    order_id: UUID
    saga_id: UUID
    version: int
    currency: str
    amount_minor: int
    lines: list[dict[str, Any]]
    failed: bool = False  #: The provider could not pay it, or it came back.
    repaid: bool = False  #: It was paid another way.


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the refund of a request came to. `refund_id` is None if nobody told."""

    refund_id: UUID | None
    refunded_minor: int
    credited_minor: int
    owed_minor: int = 0

    @property
    def given_minor(self) -> int:
        """What the order must never promise again."""
        return self.refunded_minor + self.credited_minor + self.owed_minor


def promised_of(order_id: UUID) -> Promised:
    """What waits for approval of one order. Its row must be locked."""
    return promised_of_all([order_id]).get(order_id, Promised())


def promised_of_all(order_ids: Sequence[UUID]) -> dict[UUID, Promised]:
    """The same for many orders; one of which nothing waits is left out."""
    found: dict[UUID, list[tuple[int, list[dict[str, Any]]]]] = defaultdict(list)
    for order_id, amount, lines in rows(PROMISED, [list(order_ids)]) if order_ids else ():
        found[order_id].append((amount, decoded(lines)))
    return {order_id: Promised.of(waiting) for order_id, waiting in found.items()}


def alone_minor(order_id: UUID) -> int:
    """What of one order was asked for without a second person so far, in minor units. Its row must be locked."""
    ((asked,),) = rows(ALONE, [order_id])
    return int(asked)


def of_sagas(saga_ids: Iterable[UUID]) -> dict[UUID, Open]:
    """Requests that have not ended, locked, by their sagas. Their orders must have been locked before."""
    found = [
        Open(ident, shop_id, order_id, saga_id, version, currency, amount, decoded(lines), *known)
        for ident, shop_id, order_id, saga_id, version, currency, amount, lines, *known in rows(
            OF_SAGAS, [list(saga_ids)]
        )
    ]
    return {one.saga_id: one for one in found}


def close(outcomes: Sequence[tuple[Open, Outcome]], *, now: datetime) -> None:
    """End requests and say so, in the caller's transaction. Publishes RefundEnded."""
    if not outcomes:
        return
    columns = [
        (one.id, out.refund_id, out.refunded_minor, out.credited_minor, out.owed_minor, now)
        for one, out in outcomes
    ]
    ended = {ident: sums for ident, *sums in rows(CLOSE, [list(c) for c in zip(*columns, strict=True)])}
    facts = [Append(one.id, one.version + 1, _ended(one, *ended[one.id])) for one, _ in outcomes]
    publish(facts, now=now)


def drop(one: Open, actor: str, reason: str, *, now: datetime) -> None:
    """Decline a request whose saga a person has ended with nothing given, under its lock. Publishes RefundDeclined."""
    said = reason.strip()[:500] or "ended by hand"
    execute(DROP, [actor[:100], said, now, now, one.id])
    fact = RefundDeclined(
        request_id=one.id, order_id=one.order_id, shop_id=one.shop_id, amount_minor=one.amount_minor,
        currency=one.currency, reason=said,
    )  # fmt: skip
    publish([Append(one.id, one.version + 1, fact)], now=now, actor=actor, reason=said)


def lock(saga_ids: Sequence[UUID]) -> None:
    """Take the requests of these sagas as those do who close them, so that the two cannot deadlock."""
    if saga_ids:
        rows(LOCK, [list(saga_ids)])


def note_failed(failed: Mapping[UUID, tuple[int, UUID]], *, now: datetime) -> None:
    """By saga, how much the provider could not pay, and its refund: it shows as owed.

    Safe to repeat; too late for what has ended.
    """
    if failed:
        amounts, refunds = zip(*failed.values(), strict=True)
        execute(FAILED, [now, list(failed), list(amounts), list(refunds)])


def note_returned(amounts: Mapping[UUID, int], *, now: datetime) -> None:
    """What had gone back has come back to us, by saga: owed again, unless it was paid another way since.

    Safe to repeat.
    """
    if amounts:
        execute(RETURNED, [now, now, list(amounts), list(amounts.values())])


def note_refused(amounts: Mapping[UUID, int], *, now: datetime) -> None:
    """So much of refunds that were owed, by saga, the customer has from their bank: owed no more."""
    if amounts:
        execute(REFUSED, [now, now, list(amounts), list(amounts.values())])


def note_repaid(saga_ids: Sequence[UUID], *, now: datetime) -> None:
    """It was paid another way. Safe to repeat, and in whatever order it is told with what happened before."""
    if saga_ids:
        execute(REPAID, [now, now, list(saga_ids)])


def decoded(value: Any) -> list[dict[str, Any]]:
    """Lines as raw cursors give them: Django leaves jsonb undecoded there."""
    found: list[dict[str, Any]] = json.loads(value) if isinstance(value, str) else value
    return found


def facts_of(request: RefundRequest) -> Mapping[str, Any]:
    """What every event of a request says."""
    return {
        "request_id": request.pk, "order_id": request.order_id, "shop_id": request.shop_id,
        "amount_minor": request.amount_minor, "currency": request.currency,
    }  # fmt: skip


def _ended(one: Open, refunded: int, credited: int, owed: int) -> RefundEnded:
    return RefundEnded(
        request_id=one.id, order_id=one.order_id, shop_id=one.shop_id, amount_minor=one.amount_minor,
        currency=one.currency, refunded_minor=refunded, credited_minor=credited, owed_minor=owed,
    )  # fmt: skip
