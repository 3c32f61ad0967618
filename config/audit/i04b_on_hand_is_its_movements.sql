-- I4: On hand equals the sum of movements.
SELECT 'stock ' || coalesce(s.location_id, m.location_id) || ' ' || coalesce(s.sku, m.sku),
       coalesce(s.on_hand, 0), coalesce(m.total, 0)
  FROM inventory_stock s
  FULL JOIN (SELECT location_id, sku, sum(quantity) AS total FROM inventory_movement GROUP BY 1, 2) m
    ON m.location_id = s.location_id AND m.sku = s.sku
 WHERE coalesce(s.on_hand, 0) <> coalesce(m.total, 0)
