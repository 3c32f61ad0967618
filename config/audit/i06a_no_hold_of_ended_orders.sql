-- I6: No authorization is live for a rejected or cancelled order, by our rows.
SELECT 'order ' || o.external_reference, o.state, p.state
  FROM orders_order o JOIN payments_payment p ON p.order_id = o.id
 WHERE o.state IN ('rejected', 'cancelled')
   AND p.state IN ('authorizing', 'authorized', 'capturing', 'partly_captured', 'releasing', 'voiding', 'unknown')
