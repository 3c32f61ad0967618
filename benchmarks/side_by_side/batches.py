"""The shop's work for many orders at once: the statements that Waybill's handlers and the set-based limit both use.

Parameters are arrays, in the order of the orders. Rows of stock are locked by SKU first, and changed last.
"""

from __future__ import annotations

PLACE = """
INSERT INTO shop_order (id, reference, state, total_minor, fails)
SELECT u.id, u.reference, 'pending', u.total, u.fails
  FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::boolean[]) AS u (id, reference, total, fails)
"""
PLACE_LINES = """
INSERT INTO shop_line SELECT * FROM unnest(%s::uuid[], %s::smallint[], %s::text[], %s::int[], %s::bigint[])
"""

AUTHORIZE = """
INSERT INTO shop_payment SELECT u.*, 'authorized' FROM unnest(%s::uuid[], %s::bigint[]) AS u
"""
VOID = "UPDATE shop_payment SET state = 'voided' WHERE order_id = ANY(%s::uuid[])"
REJECT = """
UPDATE shop_order SET state = 'rejected', ended_at = clock_timestamp() WHERE id = ANY(%s::uuid[])
"""

WANTED = "SELECT order_id, sku, quantity FROM shop_line WHERE order_id = ANY(%s::uuid[])"
LOCK_STOCK = """
SELECT sku, on_hand - held FROM shop_stock WHERE sku = ANY(%s::text[]) ORDER BY sku FOR NO KEY UPDATE
"""
MOVE_STOCK = """
UPDATE shop_stock s SET held = held + u.quantity FROM unnest(%s::text[], %s::bigint[]) AS u (sku, quantity)
 WHERE s.sku = u.sku
"""
RESERVE = "INSERT INTO shop_reservation SELECT u, 'held' FROM unnest(%s::uuid[]) AS u"
RELEASE = "UPDATE shop_reservation SET state = 'released' WHERE order_id = ANY(%s::uuid[])"

BOOK = "INSERT INTO shop_shipment SELECT u, 'booked' FROM unnest(%s::uuid[]) AS u"
CANCEL = "UPDATE shop_shipment SET state = 'cancelled' WHERE order_id = ANY(%s::uuid[])"

CONFIRM = """
UPDATE shop_order SET state = 'confirmed', ended_at = clock_timestamp() WHERE id = ANY(%s::uuid[]) AND NOT fails
RETURNING id
"""
