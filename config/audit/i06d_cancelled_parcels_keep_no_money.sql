-- I6: What was taken for a parcel that was cancelled has been given back, or is promised or owed.
SELECT 'parcel ' || f.number || ' of order ' || o.external_reference, f.share_minor, coalesce(r.amount_minor, 0),
       coalesce(r.credit_minor, 0)
  FROM orders_fulfilmentorder f JOIN orders_order o ON o.id = f.order_id
  LEFT JOIN payments_refund r ON r.saga_id = f.cancel_saga_id
 WHERE f.state = 'cancelled'
   AND coalesce(r.amount_minor + r.credit_minor, 0) < CASE WHEN f.ready_at IS NULL THEN 0 ELSE f.share_minor END
