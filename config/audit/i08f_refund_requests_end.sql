-- I8: A refund that was asked for waits for a person, is at work in a saga, or has ended with what that saga gave back.
SELECT 'request ' || r.id, r.state, coalesce(s.state, 'no saga'), r.refunded_minor, r.owed_minor, r.credited_minor,
       coalesce(p.amount_minor, 0), coalesce(p.credit_minor, 0)
  FROM (SELECT q.*, CASE WHEN q.state = 'refused' THEN 0 ELSE q.dropped_minor END AS cut FROM orders_refundrequest q) r
  LEFT JOIN sagas_saga s ON s.id = r.saga_id
  LEFT JOIN payments_refund p ON p.saga_id = r.saga_id
 WHERE (r.saga_id IS NOT NULL AND r.ended_at IS NULL AND (s.id IS NULL OR s.finished_at IS NOT NULL))
    OR (r.ended_at IS NOT NULL AND (s.state IS DISTINCT FROM 'completed'
        OR r.refunded_minor + r.owed_minor + r.dropped_minor <> CASE
             WHEN p.id IS NULL THEN r.amount_minor  -- its step was skipped by a person
             WHEN p.state = 'refused' AND r.dropped_minor = 0 THEN 0 ELSE p.amount_minor + r.cut END
        OR r.credited_minor <> coalesce(p.credit_minor, 0)))
