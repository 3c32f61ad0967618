-- I7: No order has shipped goods without its whole amount captured.
SELECT 'order ' || o.external_reference, o.state, o.total_minor, coalesce(p.captured, 0)
  FROM orders_order o
  LEFT JOIN (SELECT order_id, sum(captured_minor) AS captured FROM payments_payment GROUP BY 1) p ON p.order_id = o.id
 WHERE coalesce(p.captured, 0) < o.total_minor
   AND EXISTS (SELECT FROM shipping_shipment s WHERE s.order_id = o.id AND s.state IN ('handed_over', 'delivered', 'returned', 'lost'))
