-- I4: What is promised to an order, or has left for it, is what it ordered less what was cancelled of it.
-- Orders that a saga is working on are left out: between its steps the one is ahead of the other. So are orders
-- whose hold is not yet bound to them, or whose goods are gone: those wait for stock.
WITH wanted AS (
  SELECT order_id, sku, sum(quantity - cancelled_quantity) AS pieces
    FROM orders_orderline WHERE kind = 'goods' GROUP BY 1, 2
), promised AS (
  SELECT r.order_id, l.sku, sum(l.quantity - l.withdrawn) AS pieces
    FROM inventory_reservation r JOIN inventory_reservationline l ON l.reservation_id = r.id
   WHERE r.state IN ('allocated', 'consumed') GROUP BY 1, 2
)
SELECT 'order ' || o.external_reference, o.state, coalesce(w.sku, p.sku), coalesce(w.pieces, 0),
       coalesce(p.pieces, 0)
  FROM wanted w FULL JOIN promised p ON p.order_id = w.order_id AND p.sku = w.sku
  JOIN orders_order o ON o.id = coalesce(w.order_id, p.order_id)
 WHERE coalesce(w.pieces, 0) <> coalesce(p.pieces, 0) AND o.lock_saga IS NULL
   AND o.state IN ('confirmed', 'processing', 'completed')
   AND NOT EXISTS (SELECT FROM orders_fulfilmentorder f WHERE f.order_id = o.id AND f.state = 'cancelling')
   AND NOT EXISTS (SELECT FROM inventory_reservation r WHERE r.order_id = o.id AND r.state IN ('held', 'expired', 'short'))
