-- I10: Every stock movement is told by exactly one event, with the same number of pieces.
WITH told AS (
  SELECT 'key ' || (i ->> 'key') AS fact, (i ->> 'quantity')::bigint AS pieces
    FROM sagas_event e, jsonb_array_elements(e.data -> 'items') AS i
   WHERE e.type IN ('inventory.StockMoved', 'inventory.GoodsRestocked')
  UNION ALL
  SELECT 'shipment ' || (e.data ->> 'shipment_id') || ' ' || (l ->> 'sku') || ' ' || (l ->> 'location_id'),
         -(l ->> 'quantity')::bigint
    FROM sagas_event e, jsonb_array_elements(e.data -> 'lines') AS l WHERE e.type = 'inventory.StockConsumed'
), moved AS (
  SELECT CASE kind WHEN 'shipment' THEN 'shipment ' || source_id || ' ' || sku || ' ' || location_id
                   ELSE 'key ' || key END AS fact,
         CASE kind WHEN 'shipment' THEN asked ELSE quantity END AS pieces
    FROM inventory_movement
)
SELECT 'movement of ' || coalesce(t.fact, m.fact), coalesce(t.times, 0), t.pieces, coalesce(m.times, 0), m.pieces
  FROM (SELECT fact, count(*) AS times, sum(pieces) AS pieces FROM told GROUP BY 1) t
  FULL JOIN (SELECT fact, count(*) AS times, sum(pieces) AS pieces FROM moved GROUP BY 1) m ON m.fact = t.fact
 WHERE t.times IS DISTINCT FROM m.times OR t.pieces IS DISTINCT FROM m.pieces
