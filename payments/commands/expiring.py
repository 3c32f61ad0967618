"""Holds that will run out before anybody has captured them: told of once, and renewed by a saga of their own (F23).

No index on payments is paid for this. What is unfinished after a quarter of an hour stands in `payments_watch`, and
that small table is looked through round and round, a bounded part of it at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from payments import contract
from payments.commands.ledger import columns
from payments.commands.sheet import PaymentRow, Sheet
from payments.commands.watching import BEGIN, MOVE_ON, SEEN
from payments.models import Patrol, Payment
from sagas.engine import StartSaga, start_sagas
from sagas.ids import uuid7
from sagas.sql import execute, rows

FIRST = UUID(int=0)

WATCHED = "SELECT id FROM payments_watch WHERE id > %s ORDER BY id LIMIT %s"
# A hold begins with its payment, or with the renewal that brought it. What it was paid with is known to its saga.
DUE = """
SELECT p.id, e.until, s.context ->> 'payment_method', s.correlation_id,
       (SELECT count(*) FROM payments_renewal r WHERE r.payment_id = p.id) + 1,
       coalesce((s.context ->> 'in_shares')::boolean, false)
  FROM payments_payment p
  JOIN sagas_saga s ON s.id = p.saga_id
  LEFT JOIN payments_renewal n ON n.new_intent = p.provider_id AND n.new_intent <> ''
 CROSS JOIN LATERAL (SELECT coalesce(n.made_at, p.made_at) AS since) b
 CROSS JOIN LATERAL (SELECT coalesce(p.expires_at, b.since + %s::interval) AS until) e
 WHERE p.id = ANY(%s::uuid[]) AND p.state = 'authorized' AND p.provider_id <> ''
   AND b.since + (e.until - b.since) * %s / 100 <= %s
   AND s.context ? 'payment_method'
   AND NOT EXISTS (SELECT FROM payments_renewal r WHERE r.old_intent = p.provider_id)
"""
BEGIN_RENEWALS = """
INSERT INTO payments_renewal (id, saga_id, payment_id, old_intent, new_intent, state, until, code, made_at, moved_at)
SELECT u.id, u.saga_id, u.payment_id, u.old_intent, '', 'asking', u.until, '', %s::timestamptz, %s::timestamptz
  FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[])
    AS u (id, saga_id, payment_id, old_intent, until)
"""


@dataclass(frozen=True)
class Expiring:
    """A payment whose hold runs out at `until`. `number` counts its renewals. `in_shares`: captured several times."""

    payment_id: UUID
    until: datetime
    payment_method: str
    correlation_id: str
    number: int
    in_shares: bool


def renew_expiring(*, limit: int, now: datetime) -> int:
    """Look through the next watched payments and start to renew the holds that have lived most of their life.

    Once per hold, in one transaction; how many there were. Publishes AuthorizationExpiring.
    """
    with transaction.atomic():
        execute(BEGIN, [Patrol.Kind.HOLD, FIRST])
        if not (seen := rows(SEEN, [Patrol.Kind.HOLD])):
            return 0  # another keeper is at it
        watched = [ident for (ident,) in rows(WATCHED, [seen[0][0], limit])]
        execute(MOVE_ON, [watched[-1] if len(watched) == limit else FIRST, Patrol.Kind.HOLD])
        return _renew(_due(watched, now), now) if watched else 0


def _due(watched: Sequence[UUID], now: datetime) -> dict[UUID, Expiring]:
    life = timedelta(seconds=settings.WAYBILL.authorization_life_seconds)
    found = rows(DUE, [life, list(watched), settings.WAYBILL.renew_after_percent, now])
    return {row[0]: Expiring(*row) for row in found}


def _renew(due: dict[UUID, Expiring], now: datetime) -> int:
    if not due:
        return 0
    sheet = Sheet.of_payments(due, now=now)
    held = [p for p in sheet.payments.values() if p.state == Payment.State.AUTHORIZED]
    sagas = {p.id: _saga(p, due[p.id]) for p in held}
    begun = [(uuid7(), sagas[p.id].id, p.id, p.provider_id, due[p.id].until) for p in held]
    for payment in held:
        one = due[payment.id]
        sheet.tell(payment, contract.AuthorizationExpiring, payment.authorized_minor, one, until=one.until)
    if begun:
        execute(BEGIN_RENEWALS, [now, now, *columns(begun)])
    start_sagas(list(sagas.values()), now=now)
    sheet.save()
    return len(held)


def _saga(payment: PaymentRow, one: Expiring) -> StartSaga:
    return StartSaga(
        definition=contract.RENEW_AUTHORIZATION, reference=f"{payment.reference}/renew-{one.number}",
        shop_id=payment.shop_id, subject_id=payment.id, label=f"Renew the hold of order {payment.reference}",
        amount_minor=payment.amount_minor, currency=payment.currency, search_key=payment.reference,
        context={
            "payment_method": one.payment_method, "order_id": str(payment.order_id),
            "order_reference": payment.reference, "in_shares": one.in_shares,
        },
        correlation_id=one.correlation_id,
    )  # fmt: skip
