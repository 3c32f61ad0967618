-- I8: An order whose saga waits for a person says so.
SELECT 'order ' || o.external_reference, o.state, s.definition, s.hold_reason
  FROM sagas_saga s JOIN orders_order o ON o.id = s.subject_id
 WHERE s.hold = 'parked' AND s.finished_at IS NULL AND NOT o.needs_attention
