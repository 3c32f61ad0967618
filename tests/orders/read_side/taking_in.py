"""The read side without waiting for the feed: tests in one transaction never see their own events settle."""

from __future__ import annotations

import json
from typing import Any

from orders.queries import PROJECTION
from orders.read_side.fold import TYPES, fold
from sagas.log import Recorded, recorded_all
from sagas.projections import live_slot
from sagas.sql import rows

TABLES = ("orders_orderview", "orders_ordersummary", "orders_orderviewsku")
LOG = """
SELECT era, xid, position, stream, version, type, schema_version, data, metadata, at FROM sagas_event
 WHERE type = ANY(%s) ORDER BY era, xid, position
"""


def events() -> list[Recorded]:
    """Everything the view is made of, in the order of the feed."""
    return recorded_all(rows(LOG, [[cls.type for cls in TYPES]]))


def take_in_everything() -> None:
    """Fold the whole log into the slot that readers see. What was taken in before changes nothing."""
    found = events()
    if found:
        fold(found, slot=live_slot(PROJECTION))


def contents(slot: int) -> dict[str, list[Any]]:
    """All rows of one slot, without the slot."""
    return {table: _rows(table, slot) for table in TABLES}


def _rows(table: str, slot: int) -> list[Any]:
    return [
        json.loads(row[0])
        for row in rows(f"SELECT to_jsonb(t) - 'slot' FROM {table} t WHERE slot = %s ORDER BY 1", [slot])
    ]
