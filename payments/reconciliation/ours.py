"""Our side, read by the page: one statement for each question, by key, however long the lists are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from payments import contract
from payments.gateways.base import Intent
from payments.reconciliation.compare import Claim, OurPayment, OurRefund
from payments.renewal_rows import Renewal
from sagas.ids import operation_key
from sagas.sql import rows

STEPS = [
    contract.AUTHORIZE_PAYMENT,
    contract.CAPTURE_PAYMENT,
    contract.CAPTURE_SHARE,
    contract.RELEASE_REST,
    contract.VOID_AUTHORIZATION,
    contract.REFUND_PAYMENT,
]
#: Intent numbers tried when a key is recognised. More proven failures than that and a person has long looked.
MOST_INTENTS = 10

STEP_OPEN = """EXISTS (SELECT FROM sagas_step t WHERE t.saga_id = {}.saga_id AND t.finished_at IS NULL
                        AND t.name = ANY(%(steps)s::text[]))"""
TWIN = """coalesce((SELECT min(q.provider_id) FROM payments_payment q WHERE q.order_id = p.order_id AND q.id < p.id
                     AND q.captured_minor > q.refunded_minor + q.repaid_minor), '')"""
SHARE_OPEN = """EXISTS (SELECT FROM payments_capture c
                        WHERE c.payment_id = p.id AND c.state IN ('submitting', 'unknown'))"""
COMPUTED = {
    "step_open": STEP_OPEN, "twin": TWIN, "share_open": SHARE_OPEN, "intent_id": "coalesce(p.provider_id, '')",
}  # fmt: skip


def _columns(row: type, alias: str) -> str:
    return ", ".join(
        f"{COMPUTED.get(f.name, f'{alias}.{f.name}').format(alias)} AS {f.name}" for f in fields(row)
    )


PAYMENT = f"SELECT {_columns(OurPayment, 'p')} FROM payments_payment p "  # noqa: S608 - names of our own
REFUND = (
    f"SELECT {_columns(OurRefund, 'r')} FROM payments_refund r "  # noqa: S608 - names of our own
    "JOIN payments_payment p ON p.id = r.payment_id "
)

BY_PROVIDER = PAYMENT + "WHERE p.provider_id = ANY(%(ids)s::text[]) AND p.provider_id <> ''"
BY_SAGA = PAYMENT + "WHERE p.saga_id = ANY(%(ids)s::uuid[])"
BY_ID = PAYMENT + "WHERE p.id = ANY(%(ids)s::uuid[])"
REFUNDS_BY_ID = REFUND + "WHERE r.id = ANY(%(ids)s::uuid[])"
# What names the object itself, and what may: refunds whose answer was lost have no name yet.
REFUNDS = f"""
{REFUND} WHERE r.provider_id = ANY(%(ids)s::text[]) AND r.provider_id <> ''
UNION
{REFUND} WHERE p.provider_id = ANY(%(intents)s::text[]) AND p.provider_id <> ''
"""
BOUNDS = """
   (%(until)s::timestamptz IS NULL OR {0}.made_at < %(until)s) AND (%(since)s::timestamptz IS NULL OR {0}.moved_at >= %(since)s)
   AND {0}.id > %(cursor)s
   AND NOT EXISTS (SELECT FROM payments_seenobject s WHERE s.run_id = %(run)s AND s.object_id = {0}.provider_id)
 ORDER BY {0}.id LIMIT %(limit)s
"""  # noqa: E501
UNSEEN_PAYMENTS = (
    PAYMENT
    + "WHERE p.amount_minor > 0 AND (p.provider_id <> '' OR p.authorized_minor > 0) AND "
    + BOUNDS.format("p")
)
UNSEEN_REFUNDS = (
    REFUND
    + "WHERE r.amount_minor > 0 AND r.provider_id <> '' AND r.state = 'succeeded' AND "
    + BOUNDS.format("r")
)
SAGAS = f"""
SELECT s.id, s.shop_id, s.subject_id, s.reference, {STEP_OPEN.format("x")}
  FROM sagas_saga s CROSS JOIN LATERAL (SELECT s.id AS saga_id) x
 WHERE s.search_key = ANY(%(references)s::text[]) ORDER BY s.id
"""  # noqa: S608 - a fragment of our own


RENEWALS = """
SELECT i.id, r.payment_id, r.saga_id, r.state <> ALL(%s::text[])
  FROM payments_renewal r CROSS JOIN LATERAL (VALUES (r.old_intent), (r.new_intent)) AS i (id)
 WHERE r.old_intent = ANY(%s::text[]) OR (r.new_intent = ANY(%s::text[]) AND r.new_intent <> '')
 ORDER BY r.id
"""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Which of our rows a run compares. None: without bound."""

    since: datetime | None
    until: datetime | None

    def holds(self, row: OurPayment | OurRefund) -> bool:
        """Whether the row was active in between."""
        begun = self.until is None or row.made_at < self.until
        return begun and (self.since is None or row.moved_at >= self.since)


def payments_named(provider_ids: Collection[str]) -> dict[str, OurPayment]:
    """Our payments by the provider's names."""
    return {p.provider_id: p for p in _payments(BY_PROVIDER, ids=list(provider_ids))}


def payments_by_id(ids: Collection[UUID]) -> list[OurPayment]:
    """Our payments by our own ids."""
    return _payments(BY_ID, ids=list(ids))


def unseen_payments(run: UUID, bounds: Bounds, *, cursor: UUID, limit: int) -> list[OurPayment]:
    """Our payments within the bounds that the run has not met at the provider, by id."""
    return _payments(UNSEEN_PAYMENTS, **_page(run, bounds, cursor, limit))


def refunds_of(ids: Collection[str], intents: Collection[str]) -> list[OurRefund]:
    """Our refunds that name one of `ids`, and all refunds of the payments that name one of `intents`."""
    return _refunds(REFUNDS, ids=list(ids), intents=list(intents))


def refunds_by_id(ids: Collection[UUID]) -> list[OurRefund]:
    """Our refunds by our own ids."""
    return _refunds(REFUNDS_BY_ID, ids=list(ids))


def unseen_refunds(run: UUID, bounds: Bounds, *, cursor: UUID, limit: int) -> list[OurRefund]:
    """Our paid refunds within the bounds that the run has not met at the provider, by id."""
    return _refunds(UNSEEN_REFUNDS, **_page(run, bounds, cursor, limit))


def claims_of(strays: Sequence[Intent]) -> dict[str, Claim]:
    """Whose these intents are, by intent: the key derives from shop and reference, so it proves the shop.

    An intent without a key of ours belongs to the one saga of that reference that has a payment, if there is one.
    """
    if not strays:
        return {}
    renewals = _renewals_of([intent.id for intent in strays])
    found = rows(SAGAS, {"references": sorted({i.reference for i in strays}), "steps": STEPS})
    paid = {p.saga_id: p for p in _payments(BY_SAGA, ids=[row[0] for row in found])}
    claims = [_claim(row, paid) for row in found]
    chosen = {intent.id: _choose(intent, claims) for intent in strays}
    return {ident: claim for ident, claim in chosen.items() if claim is not None} | renewals


def _renewals_of(intents: Sequence[str]) -> dict[str, Claim]:
    """Of these intents, those that belong to a renewal: the payment goes by the other one."""
    found = rows(RENEWALS, [list(Renewal.FINAL), list(intents), list(intents)])
    payments = {p.id: p for p in payments_by_id({row[1] for row in found})}
    return {
        intent: Claim(
            saga_id=saga, shop_id=payments[payment].shop_id, order_id=payments[payment].order_id,
            reference=payments[payment].reference, step_open=renewing, payment=payments[payment], renewing=renewing,
        )
        for intent, payment, saga, renewing in found if intent in intents
    }  # fmt: skip


def _claim(row: tuple[Any, ...], paid: Mapping[UUID, OurPayment]) -> Claim:
    saga, shop, order, reference, step_open = row
    return Claim(
        saga_id=saga, shop_id=shop, order_id=order, reference=reference, step_open=step_open,
        payment=paid.get(saga),
    )  # fmt: skip


def _choose(intent: Intent, claims: Iterable[Claim]) -> Claim | None:
    named = [c for c in claims if c.reference == intent.reference]
    keyed = [c for c in named if intent.key in _keys(c.shop_id, c.reference)]
    if not keyed and not intent.key:
        keyed = [c for c in named if c.payment is not None]
        keyed = keyed if len(keyed) == 1 else []
    return next((c for c in keyed if c.payment is not None), next(iter(keyed), None))


def _keys(shop_id: UUID, reference: str) -> set[str]:
    numbers = range(1, MOST_INTENTS + 1)
    return {str(operation_key(shop_id, reference, contract.AUTHORIZE_PAYMENT, n)) for n in numbers}


def _page(run: UUID, bounds: Bounds, cursor: UUID, limit: int) -> dict[str, Any]:
    return {"run": run, "since": bounds.since, "until": bounds.until, "cursor": cursor, "limit": limit}


def _payments(sql: str, **params: Any) -> list[OurPayment]:
    return [OurPayment(**_named(OurPayment, row)) for row in _ask(sql, params)]


def _refunds(sql: str, **params: Any) -> list[OurRefund]:
    return [OurRefund(**_named(OurRefund, row)) for row in _ask(sql, params)]


def _ask(sql: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    return rows(sql, {**params, "steps": STEPS}, prepare=False)


def _named(row: type, values: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip((f.name for f in fields(row)), values, strict=True))
