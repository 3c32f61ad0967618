-- I8: An open return has its saga at work, and one that ended has paid what its saga has paid: nothing, or just that.
-- If a person has ended the saga by hand before payments knew of a refund, what was paid is that person's word.
SELECT 'return ' || r.number || ' of ' || o.external_reference, r.state, coalesce(s.state, 'no saga'), r.refund_minor,
       r.credit_minor, f.amount_minor, f.credit_minor
  FROM orders_return r
  JOIN orders_order o ON o.id = r.order_id
  LEFT JOIN sagas_saga s ON s.id = r.saga_id AND s.subject_id = r.order_id AND s.definition = 'orders.return_goods'
  LEFT JOIN payments_refund f ON f.saga_id = r.saga_id
 CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM sagas_intent i WHERE i.saga_id = s.id AND i.state = 'applied'
                                       AND i.kind IN ('skip', 'resolve')) AS by_hand) AS h
 WHERE s.id IS NULL
    OR (r.state IN ('requested', 'received', 'inspected') AND s.finished_at IS NOT NULL)
    OR (r.state = 'closed' AND s.state <> 'completed' AND NOT h.by_hand)
    OR (r.state = 'closed' AND NOT (h.by_hand AND f.id IS NULL)
        AND (r.refund_minor <> coalesce(f.amount_minor, 0) OR r.credit_minor <> coalesce(f.credit_minor, 0)))
    OR (r.state IN ('requested', 'received', 'withdrawn') AND f.id IS NOT NULL)
