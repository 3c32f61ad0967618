-- I8: An order in parcels whose pieces have all arrived or were cancelled is complete, once nobody works on it any more.
WITH pieces AS (
  SELECT f.order_id, bool_or(f.state = 'ready') AS sent,
         sum(f.pieces) FILTER (WHERE f.state = 'cancelled' OR (f.state = 'ready' AND p.delivered)) AS ended
    FROM orders_fulfilmentorder f LEFT JOIN orders_parcel p ON p.id = f.shipment_id GROUP BY 1
)
SELECT 'order ' || o.external_reference, o.state, p.ended
  FROM pieces p JOIN orders_order o ON o.id = p.order_id
 WHERE p.sent AND o.state IN ('confirmed', 'processing')
   AND p.ended = (SELECT sum(quantity) FROM orders_orderline l WHERE l.order_id = o.id)
   AND NOT EXISTS (SELECT FROM orders_fulfilmentorder f JOIN sagas_saga s ON s.id IN (f.saga_id, f.cancel_saga_id)
                    WHERE f.order_id = o.id AND s.finished_at IS NULL)
