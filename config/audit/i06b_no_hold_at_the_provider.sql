-- I6: No authorization is live for a rejected or cancelled order, by the provider's listing.
SELECT 'order ' || o.external_reference, o.state, i.id, i.held
  FROM orders_order o
  JOIN payments_payment p ON p.order_id = o.id
  JOIN provider_intent i ON i.id = p.provider_id
 WHERE o.state IN ('rejected', 'cancelled') AND i.held > 0
