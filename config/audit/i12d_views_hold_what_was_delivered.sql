-- I12: Every event up to the projection's checkpoint is in the views. What comes after it is lag, not loss.
WITH told AS (
  SELECT e.stream, max(e.version) AS version
    FROM sagas_event e JOIN sagas_checkpoint c ON c.subscription = 'orders.view' AND c.shard = 0
   WHERE (e.era, e.xid, e.position) <= (c.era, c.xid, c.position) GROUP BY 1
), v AS (SELECT * FROM orders_orderview WHERE slot = coalesce((SELECT live_slot FROM sagas_projection WHERE name = 'orders.view'), 1))
SELECT 'order ' || o.external_reference, v.version, t.version
  FROM told t JOIN orders_order o ON o.id = t.stream LEFT JOIN v ON v.order_id = o.id
 WHERE coalesce(v.version, 0) < t.version
UNION ALL
SELECT w.what || ' of ' || v.external_reference, w.version, t.version
  FROM v CROSS JOIN LATERAL (VALUES ('payment', v.payment_id, v.payment_version),
         ('goods', v.reservation_id, v.stock_version), ('parcel', v.shipment_id, v.shipment_version)) w (what, id, version)
  JOIN told t ON t.stream = w.id WHERE w.version < t.version
