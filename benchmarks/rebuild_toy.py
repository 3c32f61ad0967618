"""A projection to measure with when no app has registered one: a row per order, and a summary per shop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from inventory.contract import StockAllocated, StockReserved
from orders.contract import OrderAccepted, OrderConfirmed, OrderPlaced, OrderProcessing
from payments.contract import PaymentAuthorized, PaymentCaptured
from sagas.log import Recorded
from sagas.projections import projection
from sagas.sql import execute
from shipping.contract import ShipmentBooked, ShipmentHandedOver

NAME = "orders.measured_view"
CREATE = """
CREATE TABLE toy_view (
  slot smallint, order_id uuid, shop_id uuid, reference text NOT NULL, total_minor bigint NOT NULL, facts int NOT NULL,
  last text NOT NULL, tracking text NOT NULL, PRIMARY KEY (slot, order_id)
) PARTITION BY LIST (slot);
CREATE TABLE toy_view_1 PARTITION OF toy_view FOR VALUES IN (1) WITH (fillfactor = 70);
CREATE TABLE toy_view_2 PARTITION OF toy_view FOR VALUES IN (2) WITH (fillfactor = 70);
CREATE TABLE toy_summary (
  slot smallint, shop_id uuid, type text, events bigint NOT NULL, PRIMARY KEY (slot, shop_id, type)
) PARTITION BY LIST (slot);
CREATE TABLE toy_summary_1 PARTITION OF toy_summary FOR VALUES IN (1);
CREATE TABLE toy_summary_2 PARTITION OF toy_summary FOR VALUES IN (2);
"""
PUT = """
INSERT INTO toy_view AS v (slot, order_id, shop_id, reference, total_minor, facts, last, tracking)
SELECT %s, * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[], %s::int[], %s::text[], %s::text[])
ON CONFLICT (slot, order_id) DO UPDATE
   SET reference = CASE excluded.reference WHEN '' THEN v.reference ELSE excluded.reference END,
       tracking = CASE excluded.tracking WHEN '' THEN v.tracking ELSE excluded.tracking END,
       total_minor = v.total_minor + excluded.total_minor, facts = v.facts + excluded.facts, last = excluded.last
"""
SUM = """
INSERT INTO toy_summary AS s (slot, shop_id, type, events)
SELECT %s, * FROM unnest(%s::uuid[], %s::text[], %s::bigint[])
ON CONFLICT (slot, shop_id, type) DO UPDATE SET events = s.events + excluded.events
"""


def fold(*, events: Sequence[Recorded], slot: int, now: datetime) -> None:
    """One upsert for each table."""
    del now
    found: dict[UUID, list[Any]] = {}
    sums: Counter[tuple[UUID, str]] = Counter()
    for recorded in events:
        fact: Any = recorded.event
        row = found.get(fact.order_id)
        if row is None:
            row = found[fact.order_id] = [fact.shop_id, "", 0, 0, "", ""]
        row[3] += 1
        row[4] = recorded.type
        if isinstance(fact, OrderPlaced):
            row[1], row[2] = fact.external_reference, fact.total_minor
        elif isinstance(fact, ShipmentBooked):
            row[5] = fact.tracking
        sums[fact.shop_id, recorded.type] += 1
    keys = sorted(found)
    columns = [list(column) for column in zip(*(found[key] for key in keys), strict=True)]
    execute(PUT, [slot, keys, *columns])
    pairs = sorted(sums)
    execute(
        SUM, [slot, [shop for shop, _ in pairs], [kind for _, kind in pairs], [sums[pair] for pair in pairs]]
    )


def register() -> None:
    """Make its tables and make it known."""
    execute(CREATE, prepare=False)
    of = (OrderPlaced, OrderAccepted, PaymentAuthorized, StockReserved, ShipmentBooked, PaymentCaptured,
          OrderConfirmed, StockAllocated, ShipmentHandedOver, OrderProcessing)  # fmt: skip
    projection(NAME, of=of, tables=("toy_view", "toy_summary"))(fold)
