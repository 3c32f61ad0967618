-- I8: Every order has its fulfilment saga, and ends with it.
SELECT 'order ' || o.external_reference, o.state, coalesce(s.state, 'no saga')
  FROM orders_order o
  LEFT JOIN sagas_saga s ON s.subject_id = o.id AND s.definition IN ('orders.fulfil_order', 'orders.fulfil_in_parcels')
 WHERE s.id IS NULL
    OR (s.state = 'completed' AND o.state NOT IN ('confirmed', 'processing', 'completed', 'cancelling', 'cancelled'))
    OR (s.state = 'compensated' AND o.state NOT IN ('rejected', 'cancelled'))
