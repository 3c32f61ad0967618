-- I10: A payment's row is at the version of its stream, and in a state its last event that moved it allows.
WITH last AS (
  SELECT DISTINCT ON (stream) stream, type FROM sagas_event
   WHERE type IN ('payments.PaymentActionRequired', 'payments.PaymentAuthorized', 'payments.PaymentDeclined', 'payments.PaymentVoided',
                  'payments.PaymentExpired', 'payments.PaymentCaptured', 'payments.CaptureFailed', 'payments.ShareCaptured',
                  'payments.RestReleased')
   ORDER BY stream, version DESC
), told AS (SELECT stream, max(version) AS version FROM sagas_event GROUP BY 1)
SELECT 'payment ' || p.id, p.state, coalesce(m.type, 'no event'), p.version, coalesce(v.version, 0)
  FROM payments_payment p LEFT JOIN last m ON m.stream = p.id LEFT JOIN told v ON v.stream = p.id
 WHERE p.version <> coalesce(v.version, 0)
    OR p.state <> ALL (CASE m.type
         WHEN 'payments.PaymentActionRequired' THEN ARRAY['requires_action', 'voiding', 'unknown']
         WHEN 'payments.PaymentAuthorized' THEN ARRAY['authorized', 'capturing', 'voiding', 'unknown']
         WHEN 'payments.PaymentDeclined' THEN ARRAY['declined'] WHEN 'payments.PaymentVoided' THEN ARRAY['voided']
         WHEN 'payments.PaymentExpired' THEN ARRAY['expired'] WHEN 'payments.PaymentCaptured' THEN ARRAY['captured']
         WHEN 'payments.ShareCaptured' THEN ARRAY['partly_captured', 'releasing']
         WHEN 'payments.RestReleased' THEN ARRAY['captured']
         WHEN 'payments.CaptureFailed' THEN ARRAY['capture_failed', 'voiding', 'unknown']
         ELSE ARRAY['created', 'authorizing', 'voiding', 'unknown'] END)
