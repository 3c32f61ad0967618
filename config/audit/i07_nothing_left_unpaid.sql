-- I7: No order has shipped goods without captured money.
SELECT 'order ' || o.external_reference, o.state
  FROM orders_order o
 WHERE EXISTS (SELECT FROM shipping_shipment s WHERE s.order_id = o.id AND s.state IN ('handed_over', 'delivered'))
   AND NOT EXISTS (SELECT FROM payments_payment p WHERE p.order_id = o.id AND p.captured_minor > 0)
