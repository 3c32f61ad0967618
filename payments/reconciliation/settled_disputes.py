"""Lines of a settlement report that are about disputes of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from payments.commands.dispute_fees import Booked, booked_fees, lock_fees
from payments.reconciliation.rows import SettlementLine
from sagas.sql import rows

OURS = """
SELECT d.provider_id, d.id, p.id, p.shop_id, p.order_id
  FROM payments_dispute d JOIN payments_payment p ON p.id = d.payment_id WHERE d.provider_id = ANY(%s::text[])
"""


@dataclass(frozen=True)
class SettledDispute:
    """Whose dispute a line is about, and what of its fee is an expense already."""

    payment_id: UUID
    shop_id: UUID
    order_id: UUID
    told_minor: int


def settled_disputes(lines: Sequence[SettlementLine]) -> dict[UUID, SettledDispute]:
    """By their ids, the lines that name a dispute of ours; locks what is booked of its fees until the commit.

    What was told is cleared by the first line of a dispute: of several in one batch the others find nothing due.
    """
    told = [line for line in lines if line.type == SettlementLine.Type.DISPUTE]
    lock_fees({line.object_id for line in told})
    ours = {name: rest for name, *rest in rows(OURS, [[line.object_id for line in told]])} if told else {}
    due = _due(
        [(ours[line.object_id][0], line.object_id, line.currency) for line in told if line.object_id in ours]
    )
    found: dict[UUID, SettledDispute] = {}
    for line in told:
        if line.object_id in ours:
            dispute, payment, shop, order = ours[line.object_id]
            told_minor = due.pop((dispute, line.currency), 0)
            found[line.pk] = SettledDispute(payment, shop, order, told_minor)
    return found


def _due(wanted: Sequence[tuple[UUID, str, str]]) -> dict[tuple[UUID, str], int]:
    due: dict[tuple[UUID, str], int] = {}
    for currency in {currency for _, _, currency in wanted}:
        named = [(ident, name) for ident, name, of in wanted if of == currency]
        booked: dict[UUID, Booked] = booked_fees(named, currency)
        due |= {(ident, currency): one.due_minor for ident, one in booked.items()}
    return due
