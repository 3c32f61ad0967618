"""What came of the orders: figures read from the rows, set-based, for the demonstration's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sagas.sql import rows

ORDERS = "SELECT state, count(*), sum(total_minor) FROM orders_order GROUP BY 1 ORDER BY 2 DESC"
SAGAS = """
SELECT definition, state, CASE WHEN hold IN ('parked', 'paused') THEN hold ELSE '' END, count(*)
  FROM sagas_saga GROUP BY 1, 2, 3 ORDER BY 1, 4 DESC
"""
UNDONE = """
SELECT name, count(*) FROM sagas_step WHERE direction = 'undo' AND state = 'done' GROUP BY 1 ORDER BY 2 DESC, 1
"""
CAUSES = """
SELECT cause_code, cause_step, count(*), sum(amount_minor)
  FROM sagas_saga WHERE cause_code <> '' GROUP BY 1, 2 ORDER BY 3 DESC, 1
"""
PARKED = """
SELECT hold_reason, count(*), sum(amount_minor) FROM sagas_saga
 WHERE hold = 'parked' AND finished_at IS NULL GROUP BY 1 ORDER BY 2 DESC
"""
SETTLED = """
SELECT count(DISTINCT t.id) FROM sagas_step t, jsonb_array_elements(t.history) AS h WHERE h ->> 2 = 'unknown'
"""
RETRIED = """
SELECT count(DISTINCT t.id) FROM sagas_step t, jsonb_array_elements(t.history) AS h WHERE h ->> 2 = 'unavailable'
"""
NOTES = (
    "SELECT kind, state, count(*), sum(amount_minor) FROM orders_creditnote GROUP BY 1, 2 ORDER BY 1, 3 DESC"
)
MONEY = """
SELECT currency, sum(authorized_minor), sum(captured_minor),
       coalesce(sum(authorized_minor) FILTER (WHERE state = 'voided'), 0), sum(refunded_minor)
  FROM payments_payment GROUP BY 1 ORDER BY 1
"""
CREDIT = """
SELECT currency, -sum(amount_minor) FROM payments_journalline WHERE account = 'customer_credit' GROUP BY 1
"""
UNITS = """
SELECT (SELECT coalesce(sum(held + allocated), 0) FROM inventory_stock),
       (SELECT coalesce(-sum(quantity), 0) FROM inventory_movement WHERE kind = 'shipment'),
       (SELECT coalesce(sum(quantity), 0) FROM inventory_movement WHERE kind = 'return')
"""
FULFILLED_IN = """
SELECT coalesce(extract(epoch FROM max(finished_at) - min(started_at)), 0)::float
  FROM sagas_saga WHERE definition = 'orders.fulfil_order'
"""
END_STATES = """
SELECT coalesce(md5(string_agg(external_reference || ':' || state, ',' ORDER BY external_reference)), '')
  FROM orders_order
"""
COUNTS = """
SELECT (SELECT count(*) FROM orders_order), count(*), count(*) FILTER (WHERE finished_at IS NOT NULL),
       count(*) FILTER (WHERE finished_at IS NULL AND hold = 'parked'),
       count(*) FILTER (WHERE state = 'compensating')
  FROM sagas_saga
"""

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Figures:
    """Everything the table shows."""

    orders: list[Row]
    sagas: list[Row]
    undone: list[Row]
    causes: list[Row]
    parked: list[Row]
    notes: list[Row]
    money: list[Row]
    credit: dict[str, int]
    units: Row
    unknown_settled: int
    retried: int
    fingerprint: str
    fulfilled_in: float  #: Seconds from the first order's saga to the end of the last.


@dataclass(frozen=True)
class Counts:
    """How far it has come."""

    orders: int
    sagas: int
    final: int
    parked: int
    compensating: int

    @property
    def unfinished(self) -> int:
        return self.sagas - self.final - self.parked


def figures() -> Figures:
    """Read it all."""
    return Figures(
        orders=rows(ORDERS),
        sagas=rows(SAGAS),
        undone=rows(UNDONE),
        causes=rows(CAUSES),
        parked=rows(PARKED),
        notes=rows(NOTES),
        money=rows(MONEY),
        credit=dict(rows(CREDIT)),
        units=rows(UNITS)[0],
        unknown_settled=rows(SETTLED)[0][0],
        retried=rows(RETRIED)[0][0],
        fingerprint=rows(END_STATES)[0][0],
        fulfilled_in=rows(FULFILLED_IN)[0][0],
    )


def counts() -> Counts:
    """Where it stands now."""
    return Counts(*rows(COUNTS)[0])
