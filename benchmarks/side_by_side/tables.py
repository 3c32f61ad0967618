"""The shop's own tables, the same in every contender's database, and the books that must balance after each load."""

from __future__ import annotations

from typing import Any

import psycopg

from benchmarks.side_by_side.workload import SKUS

#: So many finished orders lie in the tables before anything is measured: an empty database plans differently.
OLD_ORDERS = 20_000

TABLES = """
CREATE TABLE shop_stock (
  sku text PRIMARY KEY, on_hand bigint NOT NULL, held bigint NOT NULL,
  CONSTRAINT shop_stock_is_there CHECK (held BETWEEN 0 AND on_hand)
) WITH (fillfactor = 50);
CREATE TABLE shop_order (
  id uuid PRIMARY KEY, reference text NOT NULL UNIQUE, state text NOT NULL, total_minor bigint NOT NULL,
  fails boolean NOT NULL, placed_at timestamptz NOT NULL DEFAULT clock_timestamp(), ended_at timestamptz
) WITH (fillfactor = 70);
CREATE TABLE shop_line (
  order_id uuid NOT NULL REFERENCES shop_order, position smallint NOT NULL, sku text NOT NULL,
  quantity int NOT NULL, price_minor bigint NOT NULL, PRIMARY KEY (order_id, position)
);
CREATE TABLE shop_payment (
  order_id uuid PRIMARY KEY REFERENCES shop_order, amount_minor bigint NOT NULL, state text NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE shop_reservation (
  order_id uuid PRIMARY KEY REFERENCES shop_order, state text NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE shop_shipment (
  order_id uuid PRIMARY KEY REFERENCES shop_order, state text NOT NULL
) WITH (fillfactor = 70);
"""

FILL = """
INSERT INTO shop_stock SELECT 'SKU-' || lpad((n - 1)::text, 4, '0'), 1000000000, 0 FROM generate_series(1, %(skus)s) n;
INSERT INTO shop_order (id, reference, state, total_minor, fails, ended_at)
SELECT md5('old' || n)::uuid, 'old-' || n, 'confirmed', 3000, false, clock_timestamp()
  FROM generate_series(1, %(old)s) n;
INSERT INTO shop_line
SELECT md5('old' || n)::uuid, p, 'SKU-' || lpad(((n * 7 + p * 31) %% %(skus)s)::text, 4, '0'), 1, 1000
  FROM generate_series(1, %(old)s) n, generate_series(1, 3) p;
INSERT INTO shop_payment SELECT id, total_minor, 'authorized' FROM shop_order;
INSERT INTO shop_reservation SELECT id, 'held' FROM shop_order;
INSERT INTO shop_shipment SELECT id, 'booked' FROM shop_order;
UPDATE shop_stock s SET held = l.held FROM (SELECT sku, sum(quantity) AS held FROM shop_line GROUP BY sku) l
 WHERE l.sku = s.sku;
"""

#: Each answers no row when all is well.
BOOKS = {
    "an order that has not ended": "SELECT reference FROM shop_order WHERE state NOT IN ('confirmed', 'rejected')",
    "an order that ended otherwise than it should":
        "SELECT reference FROM shop_order WHERE (state = 'rejected') <> fails",
    "an order without its payment, reservation or shipment as its end wants it": """
        SELECT o.reference FROM shop_order o
          LEFT JOIN shop_payment p ON p.order_id = o.id
          LEFT JOIN shop_reservation r ON r.order_id = o.id
          LEFT JOIN shop_shipment s ON s.order_id = o.id
         WHERE ARRAY[p.state, r.state, s.state] IS DISTINCT FROM CASE o.state
               WHEN 'confirmed' THEN ARRAY['authorized', 'held', 'booked']
               ELSE ARRAY['voided', 'released', 'cancelled'] END
            OR p.amount_minor IS DISTINCT FROM o.total_minor""",
    "a SKU of which not exactly what confirmed orders hold is held": """
        SELECT s.sku FROM shop_stock s
          LEFT JOIN (SELECT l.sku, sum(l.quantity) AS held FROM shop_line l
                       JOIN shop_order o ON o.id = l.order_id WHERE o.state = 'confirmed' GROUP BY l.sku) c
            ON c.sku = s.sku
         WHERE s.held <> coalesce(c.held, 0)""",
}  # fmt: skip


def create(connection: psycopg.Connection[Any]) -> None:
    """Make and fill the shop's tables. The planner is told at the end, by `settle`."""
    with connection.transaction():
        connection.execute(TABLES)
        for statement in FILL.split(";\n"):
            if statement.strip():
                connection.execute(statement, {"skus": SKUS, "old": OLD_ORDERS})


def settle(connection: psycopg.Connection[Any]) -> None:
    """Vacuum and analyze everything in the database. Needs a connection in autocommit."""
    connection.execute("VACUUM ANALYZE")


def breaches(connection: psycopg.Connection[Any], *, expected: int) -> list[str]:
    """What the books find wrong, in words, with an example of each. `expected` orders were placed besides the old."""
    found = []
    for what, query in BOOKS.items():
        row = connection.execute(query + " LIMIT 1").fetchone()
        if row:
            found.append(f"{what}: {row[0]}")
    count = connection.execute("SELECT count(*) FROM shop_order").fetchone()
    if count and count[0] != OLD_ORDERS + expected:
        found.append(f"{count[0] - OLD_ORDERS} orders instead of {expected}")
    return found
