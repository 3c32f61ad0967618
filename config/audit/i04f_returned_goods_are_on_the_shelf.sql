-- I4: Of a closed return exactly those pieces were put back that its inspection said, unless a person skipped that.
WITH said AS (
  SELECT t.key, l.sku, sum(l.restock) AS pieces
    FROM orders_return r
    JOIN orders_returnline l ON l.back_id = r.id
    JOIN sagas_step t ON t.saga_id = r.saga_id AND t.name = 'inventory.restock_goods' AND t.state = 'done'
   WHERE r.state = 'closed' GROUP BY 1, 2 HAVING sum(l.restock) > 0
), put AS (
  SELECT m.source_id AS key, m.sku, sum(m.asked) AS pieces
    FROM inventory_movement m
    JOIN sagas_step t ON t.key = m.source_id AND t.name = 'inventory.restock_goods'
    JOIN orders_return r ON r.saga_id = t.saga_id AND r.state = 'closed'
   WHERE m.kind = 'return' GROUP BY 1, 2
)
SELECT 'restock ' || coalesce(s.key, p.key) || ' ' || coalesce(s.sku, p.sku), coalesce(s.pieces, 0), coalesce(p.pieces, 0)
  FROM said s FULL JOIN put p ON p.key = s.key AND p.sku = s.sku
 WHERE coalesce(s.pieces, 0) <> coalesce(p.pieces, 0)
