-- I8: A credit note waits for its order or its saga, or has ended with exactly what its saga gave back.
SELECT 'note ' || n.reference, n.state, coalesce(s.state, 'no saga'), n.refund_minor, n.credit_minor,
       coalesce(r.amount_minor, 0), coalesce(r.credit_minor, 0)
  FROM orders_creditnote n
  LEFT JOIN sagas_saga s ON s.id = n.saga_id
  LEFT JOIN payments_refund r ON r.saga_id = n.saga_id
 WHERE (n.state = 'waiting' AND s.finished_at IS NOT NULL)
    OR (n.state = 'applied' AND (s.state IS DISTINCT FROM 'completed'
        OR n.refund_minor <> coalesce(r.amount_minor, 0) OR n.credit_minor <> coalesce(r.credit_minor, 0)))
