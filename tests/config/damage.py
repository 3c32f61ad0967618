"""Breaking the books by hand in one place, and what the audit says of it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

from django.db import transaction

from config.audit import Finding, compare
from config.audit.listing import Listing
from sagas.sql import execute


@dataclass(frozen=True)
class Damage:
    """One thing done to the books behind everybody's back, and a word of the example that tells of it.

    `also` names checks that cannot but see it too.
    """

    tells: str
    sql: tuple[str, ...] = ()
    at_the_provider: Callable[[Listing], object] = lambda _listing: None
    also: frozenset[str] = field(default_factory=frozenset)


def sql(*statements: str, tells: str, also: tuple[str, ...] = ()) -> Damage:
    return Damage(tells, statements, also=frozenset(also))


def listing(change: Callable[[Listing], object], *, tells: str, also: tuple[str, ...] = ()) -> Damage:
    return Damage(tells, at_the_provider=change, also=frozenset(also))


def of(reference: str) -> str:
    """The id of an order, in SQL."""
    return f"(SELECT id FROM orders_order WHERE external_reference = '{reference}')"


def saga_of(reference: str) -> str:
    return f"(SELECT id FROM sagas_saga WHERE definition = 'orders.fulfil_order' AND subject_id = {of(reference)})"


def intent(found: Listing, reference: str) -> dict[str, object]:
    """An order's intent in the gateway's list."""
    return next(i for i in found.intents if i["metadata"]["reference"] == reference)


def parcel(found: Listing, reference: str) -> dict[str, object]:
    return next(p for p in found.parcels if p["reference"] == reference)


def another(item: dict[str, object], **values: object) -> dict[str, object]:
    return {**item, **values}


CLEARING = """
INSERT INTO payments_journalline (entry_id, account, currency, amount_minor)
SELECT e.id, a.account, 'EUR', a.amount FROM payments_journalentry e, (VALUES {lines}) AS a (account, amount)
 WHERE e.kind = '{kind}' AND e.order_id = {order}
"""


def book(kind: str, order: str, *lines: tuple[str, int]) -> str:
    """More lines for an entry that is there."""
    values = ", ".join(f"('{account}', {amount})" for account, amount in lines)
    return CLEARING.format(kind=kind, order=of(order), lines=values)


def a_share(order: str, amount: int, state: str) -> str:
    """A share of an order's payment that nobody booked or told of."""
    return f"""
    INSERT INTO payments_capture (id, payment_id, saga_id, key, amount_minor, before_minor, state, code, mismatch,
                                  made_at, moved_at)
    SELECT gen_random_uuid(), p.id, gen_random_uuid(), gen_random_uuid(), {amount}, 0, '{state}', '', '', now(), now()
      FROM payments_payment p WHERE p.order_id = {of(order)}"""


def damaged(books: Listing, damage: Damage) -> dict[str, Finding]:
    """What the audit finds once the damage is done; the damage is undone at once."""
    told = deepcopy(books)
    damage.at_the_provider(told)
    with transaction.atomic():
        execute("SET LOCAL session_replication_role = replica")
        for statement in damage.sql:
            execute(statement)
        found = compare(told)
        transaction.set_rollback(True)
    return {f.name: f for f in found if f.breaches}
