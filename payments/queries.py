"""Every read of payments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from django.db.models import BigIntegerField, Count, F, Sum, Value
from django.db.models.functions import Coalesce

from payments.gateways.declines import decline_class
from payments.models import Dispute, JournalLine, Payment, Refund, Renewal
from payments.news import Found, PaymentAsItStands, RefundAsItStands
from sagas.sql import rows

PAYMENTS_OF_ORDERS = """
SELECT DISTINCT ON (order_id) order_id, id, state, unknown_of, currency, amount_minor, authorized_minor,
       captured_minor, refunding_minor, refunded_minor + repaid_minor, code
  FROM payments_payment WHERE order_id = ANY(%s::uuid[]) ORDER BY order_id, id DESC
"""


TOLD_PAYMENTS = """
SELECT id, saga_id, provider_id, state, unknown_of, amount_minor, currency, authorized_minor, captured_minor,
       reversed_minor, version
  FROM payments_payment WHERE provider_id <> '' AND provider_id = ANY(%s::text[])
"""
TOLD_REFUNDS = """
SELECT id, saga_id, payment_id, provider_id, reference, state, amount_minor
  FROM payments_refund WHERE payment_id = ANY(%s::uuid[])
"""
TOLD_RENEWALS = """
SELECT i.id, r.payment_id, r.saga_id, r.state = ANY(%s::text[])
  FROM payments_renewal r CROSS JOIN LATERAL (VALUES (r.old_intent), (r.new_intent)) AS i (id)
 WHERE i.id <> '' AND (r.old_intent = ANY(%s::text[]) OR r.new_intent = ANY(%s::text[]))
 ORDER BY r.id
"""
TRIAL_BALANCE = """
SELECT l.account, l.currency, sum(l.amount_minor)::bigint
  FROM payments_journalline l JOIN payments_journalentry e ON e.id = l.entry_id
 WHERE %s::timestamptz IS NULL OR e.at < %s
 GROUP BY 1, 2
"""
BY_DAY = """
SELECT (e.at AT TIME ZONE 'UTC')::date, l.account, l.currency,
       coalesce(sum(l.amount_minor) FILTER (WHERE l.amount_minor > 0), 0)::bigint,
       coalesce(-sum(l.amount_minor) FILTER (WHERE l.amount_minor < 0), 0)::bigint
  FROM payments_journalentry e JOIN payments_journalline l ON l.entry_id = e.id
 WHERE e.at >= %s AND e.at < %s
 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
OF_PAYMENTS = """
SELECT e.payment_id, l.account, l.currency, sum(l.amount_minor)::bigint
  FROM payments_journalentry e JOIN payments_journalline l ON l.entry_id = e.id
 WHERE e.payment_id = ANY(%s::uuid[])
 GROUP BY 1, 2, 3 HAVING sum(l.amount_minor) <> 0 ORDER BY 1, 2, 3
"""
UNBALANCED = """
SELECT e.id, e.kind, coalesce(l.currency, ''), coalesce(sum(l.amount_minor), 0)::bigint
  FROM payments_journalentry e LEFT JOIN payments_journalline l ON l.entry_id = e.id
 WHERE %s::timestamptz IS NULL OR e.at < %s
 GROUP BY e.id, e.kind, l.currency HAVING coalesce(sum(l.amount_minor), 0) <> 0 OR count(l.id) = 0
 ORDER BY e.id LIMIT %s
"""


@dataclass(frozen=True)
class OrderPayment:
    """The newest payment of an order, for people and for other pages. Amounts in minor units."""

    order_id: UUID
    payment_id: UUID
    state: str
    unknown_of: str
    currency: str
    amount_minor: int
    authorized_minor: int
    captured_minor: int
    refunding_minor: int
    refunded_minor: int
    code: str


@dataclass(frozen=True)
class StateTotal:
    """All payments, or refunds, of one currency in one state."""

    state: str
    currency: str
    count: int
    amount_minor: int


def payment_of_orders(order_ids: Iterable[UUID]) -> dict[UUID, OrderPayment]:
    """The newest payment of each order, in one statement. An order without one is not in the answer."""
    return {row[0]: OrderPayment(*row) for row in rows(PAYMENTS_OF_ORDERS, [list(order_ids)])}


def find_told(intent_ids: Iterable[str]) -> Found:
    """What we have of these intents of the gateway, with the refunds of each, in two statements."""
    payments = {row[2]: PaymentAsItStands(*row) for row in rows(TOLD_PAYMENTS, [list(intent_ids)])}
    refunds: dict[UUID, list[RefundAsItStands]] = {}
    for row in rows(TOLD_REFUNDS, [[p.id for p in payments.values()]]) if payments else ():
        refunds.setdefault(row[2], []).append(RefundAsItStands(*row))
    return Found(payments, refunds)


@dataclass(frozen=True)
class RenewalAsItStands:
    """A renewal that an intent belongs to, as far as news are compared with it."""

    payment_id: UUID
    saga_id: UUID
    ended: bool


def renewals_told(intent_ids: Iterable[str]) -> dict[str, RenewalAsItStands]:
    """The renewal that each of these intents of the gateway belongs to, by the intent. Most belong to none."""
    wanted = list(intent_ids)
    found = rows(TOLD_RENEWALS, [list(Renewal.FINAL), wanted, wanted]) if wanted else []
    return {intent: RenewalAsItStands(*rest) for intent, *rest in found if intent in wanted}


def payment_totals() -> list[StateTotal]:
    """Number and amount of payments by state and currency. Reads the whole table."""
    found = Payment.objects.values_list("state", "currency").annotate(Count("id"), Sum("amount_minor"))
    return [StateTotal(*row) for row in found.order_by("state", "currency")]


def refund_totals() -> list[StateTotal]:
    """Number and amount of refunds by state and currency. Reads the whole table."""
    found = Refund.objects.values_list("state", "currency").annotate(Count("id"), Sum("amount_minor"))
    return [StateTotal(*row) for row in found.order_by("state", "currency")]


def failed_refunds(*, limit: int = 200) -> list[Refund]:
    """What the provider could not pay back and is owed, oldest first."""
    return list(Refund.objects.filter(state=Refund.State.FAILED).order_by("id")[:limit])


@dataclass(frozen=True)
class DayOfAccount:
    """What was booked on one account in one day (UTC) and currency. Amounts in minor units, none below zero."""

    day: date
    account: str
    currency: str
    debit_minor: int
    credit_minor: int


@dataclass(frozen=True)
class Unbalanced:
    """An entry whose lines do not sum to zero in a currency. No currency: it has no lines at all."""

    entry_id: UUID
    kind: str
    currency: str
    off_minor: int


def trial_balance(*, before: datetime | None = None) -> dict[tuple[str, str], int]:
    """The balance of every account and currency: debits above zero. All together they sum to zero.

    `before` leaves out what was booked then and later.
    """
    found = rows(TRIAL_BALANCE, [before, before])
    return {(account, currency): balance for account, currency, balance in found}


def trial_balance_by_day(since: datetime, until: datetime) -> list[DayOfAccount]:
    """Debits and credits of each account, day and currency from `since` to before `until`, by day."""
    return [DayOfAccount(*row) for row in rows(BY_DAY, [since, until])]


def trial_balance_of_payments(payment_ids: Iterable[UUID]) -> dict[UUID, dict[tuple[str, str], int]]:
    """What the ledger says about each payment, by account and currency, in one statement. Zeros are left out."""
    found: dict[UUID, dict[tuple[str, str], int]] = {}
    for payment, account, currency, balance in rows(OF_PAYMENTS, [list(payment_ids)]):
        found.setdefault(payment, {})[account, currency] = balance
    return found


def unbalanced_entries(*, before: datetime | None = None, limit: int = 20) -> list[Unbalanced]:
    """Entries that do not balance. The database refuses such lines, so one is a sign of tampering or of a bug."""
    return [Unbalanced(*row) for row in rows(UNBALANCED, [before, before, limit])]


def balances_of_payment(payment_id: UUID) -> dict[str, int]:
    """What the ledger says about one payment, by account. Accounts at zero are left out."""
    zero = Value(0, output_field=BigIntegerField())
    found = (
        JournalLine.objects.filter(entry__payment_id=payment_id)
        .values_list(F("account"))
        .annotate(balance=Coalesce(Sum("amount_minor"), zero))
        .exclude(balance=0)
    )
    return dict(found)


def open_disputes(*, limit: int = 500) -> list[Dispute]:
    """Those that no bank has decided, with their payments: by the date of their evidence, those without one last."""
    found = Dispute.objects.filter(state__in=Dispute.OPEN).select_related("payment")
    return list(found.order_by(F("evidence_due_by").asc(nulls_last=True), "id")[:limit])


def closed_disputes(*, limit: int = 50) -> list[Dispute]:
    """What was decided lately, with their payments."""
    found = Dispute.objects.exclude(state__in=Dispute.OPEN).select_related("payment")
    return list(found.order_by("-closed_at", "-id")[:limit])


#: Evidence that is due within this is due soon.
SOON = timedelta(days=3)
Urgency = Literal["overdue", "soon", "later", "none"]


def urgency(dispute: Dispute, *, now: datetime) -> Urgency:
    """How soon evidence is due. None where nobody has to send any: it is under review, decided, or has no date."""
    if dispute.state != Dispute.State.NEEDS_RESPONSE or dispute.evidence_due_by is None:
        return "none"
    if dispute.evidence_due_by <= now:
        return "overdue"
    return "soon" if dispute.evidence_due_by <= now + SOON else "later"


BY_URGENCY = """
SELECT CASE WHEN state <> 'needs_response' OR evidence_due_by IS NULL THEN 'none'
            WHEN evidence_due_by <= %s THEN 'overdue' WHEN evidence_due_by <= %s THEN 'soon' ELSE 'later' END, count(*)
  FROM payments_dispute WHERE state IN ('needs_response', 'under_review') GROUP BY 1
"""


def disputes_by_urgency(*, now: datetime) -> dict[str, int]:
    """How many open disputes there are, by how soon their evidence is due."""
    return dict(rows(BY_URGENCY, [now, now + SOON]))


DETAIL = """
SELECT p.id, p.state, p.currency, p.amount_minor, p.authorized_minor, p.captured_minor,
       p.refunded_minor + p.repaid_minor, p.code, a.url, a.until
  FROM payments_payment p LEFT JOIN payments_customeraction a ON a.payment_id = p.id
 WHERE p.order_id = %s AND p.shop_id = %s ORDER BY p.id DESC LIMIT 1
"""
TURNED_DOWN = {Payment.State.DECLINED, Payment.State.CAPTURE_FAILED}


@dataclass(frozen=True)
class Action:
    """Where the customer acts, and until when."""

    url: str
    until: datetime


@dataclass(frozen=True)
class PaymentDetail:
    """One payment, as its shop sees it. `action` only while the customer has to act; disputes by evidence date."""

    id: UUID
    state: str
    currency: str
    amount_minor: int
    authorized_minor: int
    captured_minor: int
    refunded_minor: int
    code: str
    action: Action | None
    disputes: Sequence[Dispute]

    @property
    def decline_class(self) -> str:
        """What may help against a no. Empty when there was none."""
        return str(decline_class(self.code)) if self.state in TURNED_DOWN else ""


def payment_detail(order_id: UUID, shop_id: UUID) -> PaymentDetail | None:
    """The newest payment of the shop's order, or None."""
    found = rows(DETAIL, [order_id, shop_id])
    if not found:
        return None
    *known, url, until = found[0]
    waits = known[1] == Payment.State.REQUIRES_ACTION and until is not None
    disputes = Dispute.objects.filter(payment_id=known[0], amount_minor__gt=0).order_by(
        "evidence_due_by", "id"
    )
    values = (*known, Action(url, until) if waits else None, list(disputes))
    return PaymentDetail(*values)
