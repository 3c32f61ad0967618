-- I8: A share of which nobody knows yet what came of it has a saga that is not finished.
SELECT 'share ' || c.id, c.state, coalesce(s.state, 'no saga')
  FROM payments_capture c LEFT JOIN sagas_saga s ON s.id = c.saga_id
 WHERE c.state IN ('submitting', 'unknown') AND (s.id IS NULL OR s.finished_at IS NOT NULL)
