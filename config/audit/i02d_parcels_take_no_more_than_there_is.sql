-- I2: The parcels of an order that stand hold no more pieces of a line than were ordered and not cancelled, and their
-- shares are no more than its total. A parcel that is ready has had its share captured.
SELECT 'line ' || l.position || ' of order ' || o.external_reference, l.quantity - l.cancelled_quantity, c.pieces
  FROM (SELECT f.order_id, (i ->> 'position')::int AS position, sum((i ->> 'quantity')::int) AS pieces
          FROM orders_fulfilmentorder f CROSS JOIN LATERAL jsonb_array_elements(f.lines) AS i
         WHERE f.state IN ('claimed', 'ready') GROUP BY 1, 2) c
  JOIN orders_orderline l ON l.order_id = c.order_id AND l.position = c.position
  JOIN orders_order o ON o.id = c.order_id
 WHERE c.pieces > l.quantity - l.cancelled_quantity
UNION ALL
SELECT 'shares of order ' || o.external_reference, o.total_minor, f.shares
  FROM (SELECT order_id, sum(share_minor) AS shares FROM orders_fulfilmentorder
         WHERE state IN ('claimed', 'ready') GROUP BY 1) f
  JOIN orders_order o ON o.id = f.order_id
 WHERE f.shares > o.total_minor
UNION ALL
SELECT 'parcel ' || f.number || ' of order ' || o.external_reference, f.share_minor, coalesce(c.amount_minor, 0)
  FROM orders_fulfilmentorder f JOIN orders_order o ON o.id = f.order_id
  LEFT JOIN payments_capture c ON c.saga_id = f.saga_id AND c.state = 'succeeded'
 WHERE f.state = 'ready' AND f.share_minor <> coalesce(c.amount_minor, 0)
