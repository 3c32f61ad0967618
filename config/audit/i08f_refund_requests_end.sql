-- I8: A refund that was asked for waits for a person, is at work in a saga, or has ended with what that saga gave back.
-- If a person has ended the saga by hand before payments knew of a refund, what was given back is that person's word.
SELECT 'request ' || r.id, r.state, coalesce(s.state, 'no saga'), r.refunded_minor, r.owed_minor, r.credited_minor,
       coalesce(p.amount_minor, 0), coalesce(p.credit_minor, 0)
  FROM (SELECT q.*, CASE WHEN q.state = 'refused' THEN 0 ELSE q.dropped_minor END AS cut FROM orders_refundrequest q) r
  LEFT JOIN sagas_saga s ON s.id = r.saga_id
  LEFT JOIN payments_refund p ON p.saga_id = r.saga_id
 CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM sagas_intent i WHERE i.saga_id = s.id AND i.state = 'applied'
                                       AND i.kind IN ('skip', 'resolve')) AS by_hand) AS h
 WHERE (r.saga_id IS NOT NULL AND r.ended_at IS NULL AND (s.id IS NULL OR s.finished_at IS NOT NULL))
    OR (r.ended_at IS NOT NULL AND s.state IS DISTINCT FROM 'completed' AND NOT h.by_hand)
    OR (r.ended_at IS NOT NULL AND (r.refunded_minor + r.owed_minor + r.dropped_minor <> CASE
             WHEN p.id IS NULL AND h.by_hand THEN r.amount_minor
             WHEN p.state = 'refused' AND r.dropped_minor = 0 THEN 0 ELSE coalesce(p.amount_minor, 0) + r.cut END
        OR r.credited_minor <> coalesce(p.credit_minor, 0)))
