"""A log of many orders' lives, written set-based from one life told by the apps' own event classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from inventory import contract as inventory
from orders import contract as orders
from payments import contract as payments
from sagas.events import Event
from sagas.sql import execute
from shipping import contract as shipping

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
#: Orders whose events lie between each other in the log, as when a full batch goes through the steps together.
TOGETHER = 1_000
SHOPS = 3

SHOP, PERSON, ORDER, SAGA, PAYMENT, RESERVATION, SHIPMENT = (UUID(int=n) for n in range(7))

# Each object's id is derived from the order's number; `_n` is the number itself.
LOAD = """
WITH told AS (
  SELECT t.* FROM unnest(%(streams)s::uuid[], %(versions)s::int[], %(types)s::text[], %(data)s::text[])
    WITH ORDINALITY AS t (stream, version, type, data, nr)
), named AS (
  SELECT o.n, told.*, md5(o.n || told.stream::text)::uuid AS own,
         replace(replace(replace(replace(replace(replace(replace(told.data,
           %(shop)s, md5('shop' || o.n %% %(shops)s)::uuid::text),
           %(person)s, md5(o.n || %(person)s)::uuid::text), %(order)s, md5(o.n || %(order)s)::uuid::text),
           %(saga)s, md5(o.n || %(saga)s)::uuid::text), %(payment)s, md5(o.n || %(payment)s)::uuid::text),
           %(reservation)s, md5(o.n || %(reservation)s)::uuid::text),
           %(shipment)s, md5(o.n || %(shipment)s)::uuid::text) AS said
    FROM generate_series(%(first)s::int, %(last)s::int) AS o (n) CROSS JOIN told
)
INSERT INTO sagas_event (stream, version, type, schema_version, data, metadata, at, era, xid)
SELECT own, version, type, 1, replace(said, '_n', n::text)::jsonb,
       jsonb_build_object('actor', 'system', 'correlation_id', md5(n::text), 'causation_id', md5('c' || n)),
       %(now)s, (SELECT max(era) FROM sagas_era), pg_current_xact_id()::text::bigint
  FROM named ORDER BY nr, n
"""


def life() -> Iterator[tuple[UUID, Event]]:
    """What is written of an order that nothing happens to, and the stream each event goes to."""
    about: Any = {"order_id": ORDER, "shop_id": SHOP}
    money: Any = {**about, "payment_id": PAYMENT, "amount_minor": 7_350, "currency": "GBP"}
    parcel = {**about, "shipment_id": SHIPMENT}
    held: Any = {**about, "reservation_id": RESERVATION}
    goods = [{"sku": f"SKU-{n}_n", "quantity": n} for n in (1, 2, 3)]
    yield ORDER, _placed()
    yield ORDER, orders.OrderAccepted(**about, saga_id=SAGA)
    yield PAYMENT, payments.PaymentAuthorized(**money)
    lines = [{**line, "location_id": str(SAGA)} for line in goods]
    yield RESERVATION, inventory.StockReserved(**held, expires_at=NOW, lines=lines)
    yield SHIPMENT, shipping.ShipmentBooked(**parcel, tracking="TRACK-_n", lines=goods)
    yield PAYMENT, payments.PaymentCaptured(**money)
    yield ORDER, orders.OrderConfirmed(**about)
    yield RESERVATION, inventory.StockAllocated(**held)
    yield SHIPMENT, shipping.ShipmentHandedOver(**parcel, lines=goods)
    yield ORDER, orders.OrderProcessing(**about)


def _placed() -> Event:
    lines = tuple(
        {
            "position": n, "sku": f"SKU-{n}_n", "name": f"A thing of kind {n}", "kind": orders.GOODS, "quantity": n,
            "unit_price_minor": 1_000, "tax_minor": 200, "discount_minor": 0, "total_minor": 1_200 * n,
        }
        for n in (1, 2, 3)
    )  # fmt: skip
    return orders.OrderPlaced(
        order_id=ORDER, shop_id=SHOP, external_reference="ORDER-_n", person_id=PERSON, currency="GBP",
        total_minor=7_350, goods_minor=7_200, charges_minor=150, country="GB", payment_method="card",
        placed_at=NOW, lines=lines, charges=({"kind": "shipping", "amount_minor": 150},),
    )  # fmt: skip


def load(events: int) -> int:
    """Write the lives of so many orders that at least so many events are in the log. How many events."""
    told = list(life())
    streams = [stream for stream, _ in told]
    params = {
        "streams": streams,
        "versions": [streams[: at + 1].count(stream) for at, stream in enumerate(streams)],
        "types": [event.type for _, event in told],
        "data": [json.dumps(event.to_data()) for _, event in told],
        "shops": SHOPS, "now": NOW, "shop": str(SHOP), "person": str(PERSON), "order": str(ORDER),
        "saga": str(SAGA), "payment": str(PAYMENT), "reservation": str(RESERVATION), "shipment": str(SHIPMENT),
    }  # fmt: skip
    orders_ = -(-events // len(told))
    for first in range(1, orders_ + 1, TOGETHER):
        execute(LOAD, params | {"first": first, "last": min(first + TOGETHER - 1, orders_)})
    execute("VACUUM ANALYZE sagas_event")
    return orders_ * len(told)
