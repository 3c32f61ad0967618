-- I10: An order's row is at the version of its stream, and in the state and with the sums its events left it.
WITH moved AS (
  SELECT stream, version, type, lag(type) OVER (PARTITION BY stream ORDER BY version) AS before
    FROM sagas_event
   WHERE type IN ('orders.OrderPlaced', 'orders.OrderAccepted', 'orders.OrderConfirmed', 'orders.OrderRejected',
                  'orders.OrderCancelled', 'orders.OrderProcessing', 'orders.OrderCompleted',
                  'orders.CancellationLost')
      OR (type = 'orders.CancellationRequested' AND (data ->> 'whole')::boolean)
), last AS (SELECT DISTINCT ON (stream) stream, type, before FROM moved ORDER BY stream, version DESC
), facts AS (
  SELECT stream, max(version) AS version,
         sum((data ->> 'amount_minor')::bigint) FILTER (WHERE type = 'orders.OrderLinesCancelled') AS cancelled,
         sum((data ->> 'amount_minor')::bigint) FILTER (WHERE type = 'orders.GoodsReturned') AS returned,
         sum((data ->> 'amount_minor')::bigint) FILTER (WHERE type = 'orders.OrderRefunded') AS refunded
    FROM sagas_event GROUP BY 1)
SELECT 'order ' || o.external_reference, o.state, m.type, o.version, f.version, o.cancelled_minor, f.cancelled,
       o.returned_minor, f.returned, o.refunded_minor, f.refunded
  FROM orders_order o
  LEFT JOIN last m ON m.stream = o.id
  LEFT JOIN facts f ON f.stream = o.id
 WHERE m.stream IS NULL OR o.version IS DISTINCT FROM f.version
    OR o.cancelled_minor <> coalesce(f.cancelled, 0) OR o.returned_minor <> coalesce(f.returned, 0)
    OR o.refunded_minor <> coalesce(f.refunded, 0)
    OR o.state <> CASE m.type
         WHEN 'orders.OrderPlaced' THEN 'draft' WHEN 'orders.OrderAccepted' THEN 'pending'
         WHEN 'orders.OrderConfirmed' THEN 'confirmed' WHEN 'orders.OrderRejected' THEN 'rejected'
         WHEN 'orders.OrderCancelled' THEN 'cancelled' WHEN 'orders.OrderProcessing' THEN 'processing'
         WHEN 'orders.OrderCompleted' THEN 'completed' WHEN 'orders.CancellationRequested' THEN 'cancelling'
         ELSE CASE m.before WHEN 'orders.OrderProcessing' THEN 'processing'
                WHEN 'orders.OrderCompleted' THEN 'completed' ELSE 'confirmed' END END
