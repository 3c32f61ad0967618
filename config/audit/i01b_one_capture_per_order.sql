-- I1: No order was captured twice or is held twice, by our rows and by the provider's.
SELECT 'order ' || p.order_id, count(*), sum(i.captured), sum(i.held)
  FROM payments_payment p JOIN provider_intent i ON i.id = p.provider_id
 WHERE i.captured > 0 OR i.held > 0
 GROUP BY p.order_id HAVING count(*) > 1
