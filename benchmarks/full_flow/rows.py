"""What the flow leaves behind, in words that depend on no id and no clock: whoever wrote the rows, they must be equal.

Every column of every row is compared. An id is replaced by what it is the id of ("the payment of 17"), a time by the
word for one, a reference by the number of its order. Counters that all orders share are compared by what they changed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]
Said = Counter[tuple[str, str]]  #: Rows as (table, words); how often each is there.

TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")

#: How the rows of a table are found from the ids of orders. Each orders' rows are in these and no others.
TABLES = {
    "orders_order": "id = ANY(%(orders)s)",
    "orders_orderline": "order_id = ANY(%(orders)s)",
    "orders_parcel": "order_id = ANY(%(orders)s)",
    "orders_orderview": "order_id = ANY(%(orders)s)",
    "orders_orderviewsku": "order_id = ANY(%(orders)s)",
    "sagas_person": "id IN (SELECT person_id FROM orders_order WHERE id = ANY(%(orders)s))",
    "sagas_saga": "subject_id = ANY(%(orders)s)",
    "sagas_step": "saga_id IN (SELECT id FROM sagas_saga WHERE subject_id = ANY(%(orders)s))",
    "sagas_event": "(data ->> 'order_id')::uuid = ANY(%(orders)s)",
    "payments_payment": "order_id = ANY(%(orders)s)",
    "payments_journalentry": "order_id = ANY(%(orders)s)",
    "payments_journalline": "entry_id IN (SELECT id FROM payments_journalentry WHERE order_id = ANY(%(orders)s))",
    "inventory_reservation": "order_id = ANY(%(orders)s)",
    "inventory_reservationline":
        "reservation_id IN (SELECT id FROM inventory_reservation WHERE order_id = ANY(%(orders)s))",
    "shipping_shipment": "order_id = ANY(%(orders)s)",
    "shipping_shipmentline": "shipment_id IN (SELECT id FROM shipping_shipment WHERE order_id = ANY(%(orders)s))",
}  # fmt: skip
#: Columns that say when and where a row was written, and nothing about an order.
ELSEWHERE = {
    "sagas_event": ("era", "xid", "position"),
    "payments_journalline": ("id",),
    "sagas_step": ("history",),
}

#: What an id, a key or a provider's number is that of: a column, how it is told, and the order it belongs to.
NAMES = """
SELECT id::text, 'order', id FROM orders_order WHERE id = ANY(%(orders)s)
UNION ALL SELECT person_id::text, 'person', id FROM orders_order WHERE id = ANY(%(orders)s)
UNION ALL SELECT shop_id::text, 'shop', NULL FROM orders_order WHERE id = ANY(%(orders)s)
UNION ALL SELECT location_id::text, 'location', NULL FROM shipping_shipment WHERE order_id = ANY(%(orders)s)
UNION ALL SELECT id::text, 'saga', subject_id FROM sagas_saga WHERE subject_id = ANY(%(orders)s)
UNION ALL SELECT v.name, v.what || t.name, s.subject_id
            FROM sagas_saga s JOIN sagas_step t ON t.saga_id = s.id
            CROSS JOIN LATERAL (VALUES (t.id::text, 'row of '), (t.key::text, 'key of ')) AS v (name, what)
           WHERE s.subject_id = ANY(%(orders)s)
UNION ALL SELECT v.name, v.what, p.order_id
            FROM payments_payment p
            CROSS JOIN LATERAL (VALUES (p.id::text, 'payment'), (p.provider_id, 'intent')) AS v (name, what)
           WHERE p.order_id = ANY(%(orders)s)
UNION ALL SELECT id::text, 'entry of ' || kind, order_id FROM payments_journalentry WHERE order_id = ANY(%(orders)s)
UNION ALL SELECT id::text, 'reservation', order_id FROM inventory_reservation WHERE order_id = ANY(%(orders)s)
UNION ALL SELECT v.name, v.what, s.order_id
            FROM shipping_shipment s
            CROSS JOIN LATERAL (VALUES (s.id::text, 'shipment'), (s.carrier_id, 'label'), (s.tracking, 'tracking'))
              AS v (name, what)
           WHERE s.order_id = ANY(%(orders)s)
"""
ORDERS = "SELECT id, external_reference FROM orders_order WHERE external_reference = ANY(%s)"

#: Tables that tell how far somebody is, not what was done.
PROGRESS = ("sagas_checkpoint", "sagas_turn")
COUNTED = """
SELECT relname FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1
"""
SHARED = {
    "stock": "SELECT sku, on_hand, held, allocated, unavailable FROM inventory_stock",
    "summary": """SELECT concat_ws(' ', slot, day, country, status, currency), orders, total_minor, captured_minor,
                         refunded_minor FROM orders_ordersummary""",
}


@dataclass(frozen=True)
class Counts:
    """How many rows each table has, and where the counters that orders share stand."""

    rows: dict[str, int]
    shared: dict[tuple[str, str], tuple[int, ...]]

    @classmethod
    def read(cls, connection: Connection) -> Counts:
        """As they are now."""
        names = [row[0] for row in connection.execute(COUNTED) if row[0] not in PROGRESS]
        rows = {name: _one(connection, f'SELECT count(*) FROM "{name}"') for name in names}  # noqa: S608 - from the catalogue
        shared = {
            (what, row[0]): tuple(int(value) for value in row[1:])
            for what, query in SHARED.items()
            for row in connection.execute(query)
        }
        return cls(rows, shared)

    def since(self, before: Counts) -> dict[str, tuple[int, ...]]:
        """What has come to each table and counter. What has not changed is left out."""
        grown: dict[str, tuple[int, ...]] = {
            f"rows of {name}": (count - before.rows.get(name, 0),) for name, count in self.rows.items()
        }
        for (what, which), now in self.shared.items():
            was = before.shared.get((what, which), (0,) * len(now))
            grown[f"{what} of {which}"] = tuple(n - w for n, w in zip(now, was, strict=True))
        return {name: change for name, change in grown.items() if any(change)}


def said(connection: Connection, references: Sequence[str]) -> Said:
    """Every row of these orders, told in words. The order of the references names the orders."""
    found = dict(connection.execute(ORDERS, [list(references)]).fetchall())
    numbers = {reference: n for n, reference in enumerate(references)}
    by_id = {order_id: numbers[reference] for order_id, reference in found.items()}
    params = {"orders": list(by_id)}
    names = {name: _words(what, by_id.get(of)) for name, what, of in connection.execute(NAMES, params)}
    names |= {reference: f"reference of {n}" for reference, n in numbers.items()}
    told: Said = Counter()
    for table, where in TABLES.items():
        query = f"SELECT to_jsonb(t) FROM {table} t WHERE {where}"  # noqa: S608 - constants
        for (row,) in connection.execute(query, params):
            told[table, _told(row, names, ELSEWHERE.get(table, ()))] += 1
    return told


def differences(these: Said, those: Said, *, limit: int = 10) -> list[str]:
    """Rows that one side has and the other has not. Empty when both say the same."""
    lines = [f"only the first has: {table}: {row}" for table, row in (these - those).elements()]
    lines += [f"only the second has: {table}: {row}" for table, row in (those - these).elements()]
    return lines[:limit]


def changes_apart(
    these: Mapping[str, tuple[int, ...]], those: Mapping[str, tuple[int, ...]], *, limit: int = 10
) -> list[str]:
    """Counts that did not change alike."""
    apart = [name for name in sorted({*these, *those}) if these.get(name) != those.get(name)]
    return [f"{name}: {these.get(name)} and {those.get(name)}" for name in apart[:limit]]


def _told(row: Mapping[str, Any], names: Mapping[str, str], elsewhere: Sequence[str]) -> str:
    return ", ".join(
        f"{column}={_value(value, names)}" for column, value in sorted(row.items()) if column not in elsewhere
    )


def _value(value: Any, names: Mapping[str, str]) -> str:
    if isinstance(value, Mapping):
        return "{" + _told(value, names, ()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item, names) for item in value) + "]"
    if not isinstance(value, str):
        return repr(value)
    if TIME.match(value):
        return "(a time)"
    return names.get(value) or " ".join(_parts(value, names))


def _parts(text: str, names: Mapping[str, str]) -> Iterator[str]:
    """A text that names an order among other things: each word that is a reference becomes its number."""
    for word in re.split(r"([\s/@])", text):
        yield names.get(word, word)


def _words(what: str, number: int | None) -> str:
    return what if number is None else f"{what} of {number}"


def _one(connection: Connection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
