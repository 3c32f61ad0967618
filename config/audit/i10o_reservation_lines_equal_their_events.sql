-- I10: What a reservation line holds, gave back and shipped is what its events say.
-- A release of the whole tells what was let go; only a withdrawal counts on the line, and the last one may be both.
WITH told AS (
  SELECT e.stream AS reservation_id, l ->> 'sku' AS sku, (l ->> 'location_id')::uuid AS location_id,
         sum((l ->> 'quantity')::bigint) FILTER (WHERE e.type = 'inventory.StockReserved') AS reserved,
         sum((l ->> 'quantity')::bigint) FILTER (WHERE e.type = 'inventory.StockConsumed') AS consumed,
         sum((l ->> 'quantity')::bigint) FILTER (WHERE e.type = 'inventory.StockReleased'
           AND NOT (e.data ->> 'whole')::boolean) AS part,
         sum((l ->> 'quantity')::bigint) FILTER (WHERE e.type = 'inventory.StockReleased'
           AND (e.data ->> 'whole')::boolean AND e.data ->> 'reason' = 'withdrawn') AS rest
    FROM sagas_event e, jsonb_array_elements(e.data -> 'lines') AS l
   WHERE e.type IN ('inventory.StockReserved', 'inventory.StockConsumed', 'inventory.StockReleased') GROUP BY 1, 2, 3
)
SELECT 'reservation ' || coalesce(t.reservation_id, l.reservation_id), coalesce(t.sku, l.sku), l.quantity, t.reserved,
       l.withdrawn, coalesce(t.part, 0), l.consumed, coalesce(t.consumed, 0)
  FROM told t
  FULL JOIN inventory_reservationline l
    ON l.reservation_id = t.reservation_id AND l.sku = t.sku AND l.location_id = t.location_id
 WHERE l.quantity IS DISTINCT FROM t.reserved OR l.consumed IS DISTINCT FROM coalesce(t.consumed, 0)
    OR l.withdrawn NOT IN (coalesce(t.part, 0), coalesce(t.part, 0) + coalesce(t.rest, 0))
