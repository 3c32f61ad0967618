-- I8: A parcel that is being packed, or cancelled, has a saga at work on it.
SELECT 'parcel ' || f.number || ' of order ' || o.external_reference, f.state, coalesce(s.state, 'no saga')
  FROM orders_fulfilmentorder f JOIN orders_order o ON o.id = f.order_id
  LEFT JOIN sagas_saga s ON s.id = CASE f.state WHEN 'claimed' THEN f.saga_id ELSE f.cancel_saga_id END
 WHERE f.state IN ('claimed', 'cancelling') AND (s.id IS NULL OR s.finished_at IS NOT NULL)
