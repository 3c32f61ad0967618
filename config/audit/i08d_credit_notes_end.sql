-- I8: A credit note waits for its order or its saga, or has ended with exactly what its saga gave back.
-- If a person has ended the saga by hand before payments knew of a refund, what was given back is that person's word.
SELECT 'note ' || n.reference, n.state, coalesce(s.state, 'no saga'), n.refund_minor, n.credit_minor,
       coalesce(r.amount_minor, 0), coalesce(r.credit_minor, 0)
  FROM orders_creditnote n
  LEFT JOIN sagas_saga s ON s.id = n.saga_id
  LEFT JOIN payments_refund r ON r.saga_id = n.saga_id
 CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM sagas_intent i WHERE i.saga_id = s.id AND i.state = 'applied'
                                       AND i.kind IN ('skip', 'resolve')) AS by_hand) AS h
 WHERE (n.state = 'waiting' AND s.finished_at IS NOT NULL)
    OR (n.state = 'applied' AND s.state IS DISTINCT FROM 'completed' AND NOT h.by_hand)
    OR (n.state = 'applied' AND NOT (h.by_hand AND r.id IS NULL)
        AND (n.refund_minor <> coalesce(r.amount_minor, 0) OR n.credit_minor <> coalesce(r.credit_minor, 0)))
