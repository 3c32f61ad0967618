-- I7: No order has shipped goods without its whole amount captured; one in parcels, without the shares of those that left.
WITH gone AS (
  SELECT s.order_id, sum(f.share_minor) AS shares
    FROM shipping_shipment s LEFT JOIN orders_fulfilmentorder f ON f.id = s.part_id
   WHERE s.state IN ('handed_over', 'delivered', 'returned', 'lost') GROUP BY 1
)
SELECT 'order ' || o.external_reference, o.state, CASE WHEN o.in_parcels THEN g.shares ELSE o.total_minor END,
       coalesce(p.captured, 0)
  FROM gone g JOIN orders_order o ON o.id = g.order_id
  LEFT JOIN (SELECT order_id, sum(captured_minor) AS captured FROM payments_payment GROUP BY 1) p ON p.order_id = o.id
 WHERE coalesce(p.captured, 0) < CASE WHEN o.in_parcels THEN coalesce(g.shares, o.total_minor) ELSE o.total_minor END
