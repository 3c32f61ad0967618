"""What stayed unfinished is watched, so that the provider is asked about it although nobody tells us (F20).

Rows are looked through once, in the order of their ids, when they have come to a certain age: what is not final by
then is watched. So an index on their state, which would cost every move of a payment, is not needed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from payments.models import Payment, Refund, Watch
from sagas.ids import first_id_at
from sagas.sql import execute, rows

#: Younger than this, a payment is still at work and nobody wonders.
AGE = timedelta(minutes=15)
LONGEST_WAIT = timedelta(days=1)
#: So long after its end a hold has surely run out.
RUN_OUT = timedelta(minutes=1)

BEGIN = "INSERT INTO payments_patrol (kind, seen) VALUES (%s, %s) ON CONFLICT (kind) DO NOTHING"
SEEN = "SELECT seen FROM payments_patrol WHERE kind = %s FOR UPDATE SKIP LOCKED"
LOOK_THROUGH = """
WITH old AS (
  SELECT id, state FROM {table} WHERE id > %s AND id <= %s ORDER BY id LIMIT %s
), watched AS (
  INSERT INTO payments_watch (id, kind, looks, look_at)
  SELECT id, %s, 0, %s FROM old WHERE state <> ALL(%s::text[]) ON CONFLICT (id) DO NOTHING
)
SELECT id FROM old ORDER BY id DESC
"""
MOVE_ON = "UPDATE payments_patrol SET seen = %s WHERE kind = %s"

# The next look is noted before the first: whoever dies meanwhile leaves it to the next one, later.
TAKE = """
WITH due AS (
  SELECT id FROM payments_watch WHERE look_at <= %s ORDER BY look_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE payments_watch w
   SET looks = w.looks + 1,
       look_at = least(%s + least(%s::interval * power(2, least(w.looks, 12)), %s::interval),
                       CASE WHEN p.expires_at > %s THEN p.expires_at + %s END)
  FROM due LEFT JOIN payments_payment p ON p.id = due.id WHERE w.id = due.id
RETURNING w.id
"""
WATCHED_PAYMENTS = """
SELECT p.id, p.saga_id, p.saga_id, p.provider_id, '', p.state, p.version, p.state = ANY(%s::text[]),
       (SELECT c.saga_id FROM payments_capture c WHERE c.payment_id = p.id AND c.state IN ('submitting', 'unknown'))
  FROM payments_payment p WHERE p.id = ANY(%s::uuid[])
"""
WATCHED_REFUNDS = """
SELECT r.id, p.saga_id, r.saga_id, p.provider_id, r.reference, p.state, p.version, r.state = ANY(%s::text[])
  FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id WHERE r.id = ANY(%s::uuid[])
"""
# Only what nobody has taken since.
LOOK_AGAIN = """
UPDATE payments_watch w SET looks = greatest(0, w.looks - 1), look_at = u.look_at
  FROM unnest(%s::uuid[], %s::timestamptz[]) AS u (id, look_at) WHERE w.id = u.id AND w.look_at > u.look_at
"""
BEGIN_TO_WATCH = """
INSERT INTO payments_watch AS w (id, kind, looks, look_at) SELECT u.id, %s, 0, %s FROM unnest(%s::uuid[]) AS u (id)
ON CONFLICT (id) DO UPDATE SET looks = 0, look_at = least(w.look_at, excluded.look_at)
"""
FORGET = "DELETE FROM payments_watch WHERE id = ANY(%s::uuid[])"

KINDS: dict[str, tuple[str, Sequence[str]]] = {
    Watch.Kind.PAYMENT: ("payments_payment", Payment.FINAL),
    Watch.Kind.REFUND: ("payments_refund", Refund.ENDED),
}


@dataclass(frozen=True)
class Watched:
    """A payment or refund to be asked about. `reference` is the refund's; it is empty for a payment.

    `state` and `version` are the payment's, and `share_saga` is the saga of its open share.
    """

    id: UUID
    payment_saga_id: UUID
    saga_id: UUID
    intent_id: str
    reference: str
    state: str
    version: int
    ended: bool
    share_saga: UUID | None = None


def patrol(*, limit: int, now: datetime) -> int:
    """Look through the next rows that have come of age and watch those that are unfinished. How many were seen."""
    return sum(_patrol(kind, limit, now) for kind in KINDS)


def _patrol(kind: str, limit: int, now: datetime) -> int:
    table, ends = KINDS[kind]
    with transaction.atomic():
        execute(BEGIN, [kind, UUID(int=0)])
        if not (seen := rows(SEEN, [kind])):
            return 0  # another keeper is at it
        params = [seen[0][0], first_id_at(now - AGE), limit, kind, now, list(ends)]
        found = rows(LOOK_THROUGH.format(table=table), params)
        if found:
            execute(MOVE_ON, [found[0][0], kind])
    return len(found)


def take_watched(*, limit: int, now: datetime) -> list[Watched]:
    """Those that are to be asked about now; each is taken again only after twice as long, at most a day.

    A payment is asked about at the latest when its hold should have run out.

    What has come to an end meanwhile is watched no more.
    """
    taken = [ident for (ident,) in rows(TAKE, [now, limit, now, AGE, LONGEST_WAIT, now, RUN_OUT])]
    found = [Watched(*row) for row in rows(WATCHED_PAYMENTS, [list(Payment.FINAL), taken])]
    found += [Watched(*row) for row in rows(WATCHED_REFUNDS, [list(Refund.ENDED), taken])]
    open_ = [one for one in found if not one.ended]
    gone = set(taken) - {one.id for one in open_}
    if gone:
        execute(FORGET, [list(gone)])
    return open_


def watch(payment_ids: Collection[UUID], *, now: datetime) -> None:
    """Have the provider asked about these payments before long, whatever their age."""
    if payment_ids:
        execute(BEGIN_TO_WATCH, [Watch.Kind.PAYMENT, now + AGE, sorted(payment_ids)])


def look_again(silent: Mapping[UUID, datetime]) -> None:
    """Those of whom the provider could tell nothing are asked about at these times: that look does not count."""
    if silent:
        execute(LOOK_AGAIN, [list(silent), list(silent.values())])
