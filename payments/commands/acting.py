"""Payments that wait for their customer: 3-D Secure. Where to act and until when stands in rows beside them.

Few payments need it, and none pays for it: the rows are read only where a payment says that it waits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from payments.gateways.base import REQUIRES_ACTION
from sagas.sql import execute, rows
from sagas.verdicts import Waiting

UNTIL = "SELECT payment_id, until FROM payments_customeraction WHERE payment_id = ANY(%s::uuid[])"
KEEP = """
INSERT INTO payments_customeraction (payment_id, url, until, made_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (payment_id) DO UPDATE SET url = excluded.url
"""


class CustomerMustAct(Waiting):
    """The bank wants the customer to prove who they are, at `url`, until `deadline`. Looked at again before that."""

    def __init__(self, url: str, *, deadline: datetime, look_at: datetime) -> None:
        super().__init__(REQUIRES_ACTION, min(look_at, deadline))
        self.url, self.deadline = url, deadline


def deadlines(payment_ids: Collection[UUID]) -> Mapping[UUID, datetime]:
    """Until when the customers of these payments may act."""
    return dict(rows(UNTIL, [list(payment_ids)])) if payment_ids else {}


def keep_action(payment_id: UUID, answer: CustomerMustAct, *, now: datetime) -> None:
    """Write down where the customer acts. The deadline stays the first one. Safe to repeat."""
    execute(KEEP, [payment_id, answer.url, answer.deadline, now])
