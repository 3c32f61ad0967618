-- I1: A renewal that has not ended has a saga at work on it; one that has lets its payment go by the hold that is left.
SELECT 'renewal ' || r.id, r.state, p.state, p.provider_id
  FROM payments_renewal r JOIN payments_payment p ON p.id = r.payment_id
 WHERE (r.state IN ('asking', 'renewed', 'spare')
        AND NOT EXISTS (SELECT FROM sagas_saga s WHERE s.id = r.saga_id AND s.finished_at IS NULL))
    OR (r.state = 'done' AND p.provider_id = r.old_intent)
    OR (r.state IN ('asking', 'spare', 'dropped', 'declined') AND p.provider_id = r.new_intent)
