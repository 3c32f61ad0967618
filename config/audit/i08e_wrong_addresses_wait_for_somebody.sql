-- I8: A parcel whose address may be corrected has an end of that time and a saga that looks then; and an order that is
-- on hold for it has such a parcel.
SELECT 'parcel ' || s.reference, o.state, coalesce(s.correct_until::text, 'for ever'), coalesce(g.state, 'no saga')
  FROM shipping_shipment s
  JOIN orders_order o ON o.id = s.order_id
  LEFT JOIN sagas_saga g ON g.subject_id = o.id AND g.definition = 'orders.fulfil_order'
 WHERE s.state = 'address_wrong'
   AND (s.correct_until IS NULL OR g.finished_at IS NOT NULL
        OR (g.hold NOT IN ('parked', 'paused') AND g.cause = ''
            AND NOT EXISTS (SELECT FROM sagas_step t
                             WHERE t.saga_id = g.id AND t.name = 'shipping.book_shipment' AND t.finished_at IS NULL
                               AND t.wake_at IS NOT NULL)))
UNION ALL
SELECT 'order ' || o.external_reference, o.state, o.hold_reason, coalesce(s.state, 'no parcel')
  FROM orders_order o
  LEFT JOIN shipping_shipment s ON s.order_id = o.id AND s.state = 'address_wrong'
 WHERE o.hold_reason = 'shipping.address_to_correct' AND o.state = 'pending' AND s.id IS NULL
