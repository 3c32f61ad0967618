-- I2: The parcels of an order hold no more pieces of a line than were ordered and not cancelled, those that were cancelled
-- are the order's cancelled pieces, and the shares of all are no more than its total. What is ready had its share taken.
WITH claimed AS (
  SELECT f.order_id, (i ->> 'position')::int AS position,
         coalesce(sum((i ->> 'quantity')::int) FILTER (WHERE f.state <> 'cancelled'), 0) AS held,
         coalesce(sum((i ->> 'quantity')::int) FILTER (WHERE f.state = 'cancelled'), 0) AS cancelled
    FROM orders_fulfilmentorder f CROSS JOIN LATERAL jsonb_array_elements(f.lines) AS i
   WHERE f.state <> 'given_up' GROUP BY 1, 2
)
SELECT 'line ' || l.position || ' of order ' || o.external_reference, l.quantity - l.cancelled_quantity,
       coalesce(c.held, 0), l.cancelled_quantity, coalesce(c.cancelled, 0)
  FROM orders_order o JOIN orders_orderline l ON l.order_id = o.id
  LEFT JOIN claimed c ON c.order_id = l.order_id AND c.position = l.position
 WHERE o.in_parcels
   AND (coalesce(c.held, 0) > l.quantity - l.cancelled_quantity OR coalesce(c.cancelled, 0) <> l.cancelled_quantity)
UNION ALL
SELECT 'shares of order ' || o.external_reference, o.total_minor, f.shares, NULL, NULL
  FROM (SELECT order_id, sum(share_minor) AS shares FROM orders_fulfilmentorder
         WHERE state <> 'given_up' GROUP BY 1) f
  JOIN orders_order o ON o.id = f.order_id
 WHERE f.shares > o.total_minor
UNION ALL
SELECT 'parcel ' || f.number || ' of order ' || o.external_reference, f.share_minor, coalesce(c.amount_minor, 0), NULL, NULL
  FROM orders_fulfilmentorder f JOIN orders_order o ON o.id = f.order_id
  LEFT JOIN payments_capture c ON c.saga_id = f.saga_id AND c.state = 'succeeded'
 WHERE f.state <> 'claimed' AND CASE WHEN f.ready_at IS NULL THEN 0 ELSE f.share_minor END <> coalesce(c.amount_minor, 0)
