-- I4: No stock counter is negative, and no more is promised than is on hand.
SELECT 'stock ' || location_id || ' ' || sku, on_hand, held, allocated, unavailable
  FROM inventory_stock
 WHERE least(on_hand, held, allocated, unavailable) < 0 OR held + allocated + unavailable > on_hand
