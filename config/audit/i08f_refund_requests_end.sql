-- I8: A refund that was asked for waits for a person, is at work in a saga, or has ended with what that saga gave back.
-- If a person has ended the saga by hand before payments knew of a refund, what was given back is that person's word.
SELECT 'request ' || r.id, r.state, coalesce(s.state, 'no saga'), r.refunded_minor, r.owed_minor, r.credited_minor,
       coalesce(p.amount_minor, 0), coalesce(p.credit_minor, 0)
  FROM orders_refundrequest r
  LEFT JOIN sagas_saga s ON s.id = r.saga_id
  LEFT JOIN payments_refund p ON p.saga_id = r.saga_id
 CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM sagas_intent i WHERE i.saga_id = s.id AND i.state = 'applied'
                                       AND i.kind IN ('skip', 'resolve')) AS by_hand) AS h
 WHERE (r.saga_id IS NOT NULL AND r.ended_at IS NULL AND (s.id IS NULL OR s.finished_at IS NOT NULL))
    OR (r.ended_at IS NOT NULL AND s.state IS DISTINCT FROM 'completed' AND NOT h.by_hand)
    OR (r.ended_at IS NOT NULL AND NOT (h.by_hand AND p.id IS NULL)
        AND (r.refunded_minor + r.owed_minor <> coalesce(p.amount_minor, 0)
             OR r.credited_minor <> coalesce(p.credit_minor, 0)))
