-- I8: Every lock on an order belongs to a saga that is still on its way.
SELECT 'order ' || o.external_reference, o.lock_kind, coalesce(s.state, 'no saga')
  FROM orders_order o LEFT JOIN sagas_saga s ON s.id = o.lock_saga
 WHERE o.lock_saga IS NOT NULL AND (s.id IS NULL OR s.finished_at IS NOT NULL)
