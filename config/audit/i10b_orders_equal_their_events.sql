-- I10: An order's row is at the version of its stream, and in the state of its last event that moved it.
WITH moved AS (
  SELECT DISTINCT ON (stream) stream, type
    FROM sagas_event
   WHERE type IN ('orders.OrderPlaced', 'orders.OrderAccepted', 'orders.OrderConfirmed', 'orders.OrderRejected',
                  'orders.OrderCancelled', 'orders.OrderProcessing', 'orders.OrderCompleted')
   ORDER BY stream, version DESC
), last AS (SELECT stream, max(version) AS version FROM sagas_event GROUP BY 1)
SELECT 'order ' || o.external_reference, o.state, m.type, o.version, l.version
  FROM orders_order o
  LEFT JOIN moved m ON m.stream = o.id
  LEFT JOIN last l ON l.stream = o.id
 WHERE m.stream IS NULL OR o.version IS DISTINCT FROM l.version
    OR (o.state NOT IN ('cancelling')
        AND o.state <> CASE m.type
              WHEN 'orders.OrderPlaced' THEN 'draft' WHEN 'orders.OrderAccepted' THEN 'pending'
              WHEN 'orders.OrderConfirmed' THEN 'confirmed' WHEN 'orders.OrderRejected' THEN 'rejected'
              WHEN 'orders.OrderCancelled' THEN 'cancelled' WHEN 'orders.OrderProcessing' THEN 'processing'
              WHEN 'orders.OrderCompleted' THEN 'completed' END)
