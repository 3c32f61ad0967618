"""A read side of any size, made by SQL in one slot: orders as a shop has them, not events played back."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sagas.log import Token
from sagas.sight import Sight
from sagas.sql import execute, rows

#: All sizes spread over so many days, so that a summary reads equally many cells.
DAYS = 30

PEOPLE = """
INSERT INTO sagas_person (id, shop_id, reference, name, email, address, made_at)
SELECT md5(%(shop)s || '/' || n)::uuid, %(shop)s::uuid, 'C' || n || '/0123456789abcdef', 'Customer ' || n,
       'c' || n || '@example.org', '{}', '2026-01-01'
  FROM generate_series(1, %(people)s) n
"""
ORDERS = """
INSERT INTO orders_orderview (slot, order_id, shop_id, version, external_reference, person_id, state, on_hold,
       hold_reason, needs_attention, attention_reason, end_code, currency, total_minor, goods_minor, charges_minor,
       cancelled_minor, returned_minor, country, fulfilment, pieces, skus, charges, placed_at, placed_on, received_at,
       moved_at, saga_state, progress, payment_version, payment_state, authorized_minor, captured_minor,
       refunded_minor, stock_version, stock_state, shipment_version, shipment_state, tracking)
SELECT %(slot)s, (lpad(to_hex(1767225600000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
         || substr(md5(n::text), 4, 15))::uuid,
       %(shop)s::uuid, 5, 'W-' || n,
       md5(%(shop)s || '/' || 1 + n %% %(people)s)::uuid, state, false, '',
       attention, CASE WHEN attention THEN 'look' ELSE '' END,
       CASE state WHEN 'rejected' THEN
         (ARRAY['payments.declined', 'inventory.out_of_stock', 'shipping.no_service'])[1 + floor(3 * b * b)::int]
         ELSE '' END,
       'GBP', amount, amount - 300, 300, 0, 0,
       (ARRAY['GB', 'GB', 'GB', 'GB', 'DE', 'DE', 'FR', 'FR', 'IE', 'AT'])[1 + floor(10 * c)::int],
       'orchestration', cardinality(skus), skus, '[{"kind": "shipping", "amount_minor": 300}]',
       placed, placed::date, placed, placed, 'completed', 6, 2, 'captured', amount, amount,
       CASE state WHEN 'cancelled' THEN amount ELSE 0 END, 2, 'consumed', 2, 'delivered', 'T' || n
  FROM (
    SELECT n, random() AS b, random() AS c, random() < 0.003 AS attention,
           300 + floor(-3000 * ln(1 - random()))::bigint AS amount,
           timestamptz '2026-01-01' + n * (interval '%(days)s days' / %(orders)s) AS placed,
           (ARRAY(SELECT 'SKU' || floor(4000 * power(random(), 3))::int
                    FROM generate_series(1, 1 + floor(4 * random())::int + 0 * n) GROUP BY 1)
             || CASE WHEN n %% (%(orders)s / 3) = 0 THEN ARRAY['RARE'] ELSE '{}' END) AS skus,
           CASE WHEN a < 0.82 THEN 'completed' WHEN a < 0.88 THEN 'processing' WHEN a < 0.92 THEN 'confirmed'
                WHEN a < 0.94 THEN 'pending' WHEN a < 0.941 THEN 'cancelling' WHEN a < 0.975 THEN 'cancelled'
                ELSE 'rejected' END AS state
      FROM generate_series(1, %(orders)s) n CROSS JOIN LATERAL (SELECT random() + 0 * n AS a) r) o
 ORDER BY n
"""
SKUS = """
INSERT INTO orders_orderviewsku (slot, shop_id, sku, order_id)
SELECT slot, shop_id, unnest(skus), order_id FROM orders_orderview WHERE slot = %(slot)s ORDER BY 3, 4
"""
SUMMARY = """
INSERT INTO orders_ordersummary
SELECT slot, shop_id, placed_on, country, state, currency, count(*), sum(total_minor), sum(captured_minor),
       sum(refunded_minor)
  FROM orders_orderview WHERE slot = %(slot)s GROUP BY 1, 2, 3, 4, 5, 6
"""
TABLES = "orders_orderview, orders_orderviewsku, orders_ordersummary, sagas_person"


@dataclass(frozen=True)
class Filled:
    """One shop with so many orders in one slot."""

    slot: int
    shop_id: UUID
    orders: int

    @property
    def sight(self) -> Sight:
        """What a reader of this slot has in hand."""
        return Sight(self.slot, Token(0, 0, 0))

    @property
    def people(self) -> int:
        return max(1, self.orders // 5)

    def sample(self, count: int) -> list[UUID]:
        """Ids of orders from all over the table."""
        sql = "SELECT order_id FROM orders_orderview WHERE slot = %s ORDER BY md5(order_id::text) LIMIT %s"
        return [row[0] for row in rows(sql, [self.slot, count])]


def fill(shop: Filled) -> None:
    """Write the rows of a shop."""
    values = {
        "slot": shop.slot,
        "shop": str(shop.shop_id),
        "orders": shop.orders,
        "people": shop.people,
        "days": DAYS,
    }
    for statement in (PEOPLE, ORDERS, SKUS, SUMMARY):
        execute(statement, values, prepare=False)


def settle() -> None:
    """Let the planner know what there is."""
    execute(f"VACUUM ANALYZE {TABLES}")
