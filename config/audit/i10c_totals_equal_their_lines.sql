-- I10: An order's total is the sum of its lines and charges, in its rows and in its first event.
SELECT 'order ' || o.external_reference, o.total_minor, l.total, (e.data ->> 'total_minor')::bigint
  FROM orders_order o
  LEFT JOIN (SELECT order_id, sum(total_minor) AS total FROM orders_orderline GROUP BY 1) l ON l.order_id = o.id
  LEFT JOIN sagas_event e ON e.stream = o.id AND e.version = 1
 WHERE o.total_minor <> coalesce(l.total, 0) + o.charges_minor
    OR o.total_minor IS DISTINCT FROM (e.data ->> 'total_minor')::bigint
