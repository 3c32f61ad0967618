-- I10: What was cancelled, returned and refunded of each line equals the sums of its order's events.
WITH told AS (
  SELECT e.stream AS order_id, (l ->> 'position')::int AS position,
         sum((l ->> 'quantity')::int) FILTER (WHERE e.type = 'orders.OrderLinesCancelled') AS cancelled,
         sum((l ->> 'quantity')::int) FILTER (WHERE e.type = 'orders.GoodsReturned') AS returned,
         sum((l ->> 'quantity')::int) FILTER (WHERE e.type = 'orders.OrderRefunded') AS refunded,
         sum((l ->> 'amount_minor')::bigint) FILTER (WHERE e.type = 'orders.OrderRefunded') AS refunded_minor
    FROM sagas_event e, jsonb_array_elements(e.data -> 'lines') AS l
   WHERE e.type IN ('orders.OrderLinesCancelled', 'orders.GoodsReturned', 'orders.OrderRefunded') GROUP BY 1, 2
)
SELECT 'line ' || coalesce(t.position, l.position) || ' of order ' || coalesce(t.order_id, l.order_id),
       l.cancelled_quantity, t.cancelled, l.returned_quantity, t.returned, l.refunded_quantity, t.refunded,
       l.refunded_minor, t.refunded_minor
  FROM told t FULL JOIN orders_orderline l ON l.order_id = t.order_id AND l.position = t.position
 WHERE coalesce(l.cancelled_quantity, 0) <> coalesce(t.cancelled, 0)
    OR coalesce(l.returned_quantity, 0) <> coalesce(t.returned, 0)
    OR coalesce(l.refunded_quantity, 0) <> coalesce(t.refunded, 0)
    OR coalesce(l.refunded_minor, 0) <> coalesce(t.refunded_minor, 0)
