-- I5: No stock is held or allocated for a rejected, cancelled or completed order.
SELECT 'order ' || o.external_reference, o.state, r.state, sum(l.quantity - l.withdrawn - l.consumed)
  FROM orders_order o
  JOIN inventory_reservation r ON r.order_id = o.id AND r.state IN ('held', 'allocated')
  JOIN inventory_reservationline l ON l.reservation_id = r.id
 WHERE o.state IN ('rejected', 'cancelled', 'completed')
 GROUP BY 1, 2, 3 HAVING sum(l.quantity - l.withdrawn - l.consumed) > 0
