-- I1: The provider holds or took no money that no payment of ours knows.
-- A hold that is just being renewed is known by its renewal: there are two until it has ended.
SELECT 'intent ' || i.id, i.status, i.amount
  FROM provider_intent i
 WHERE i.status IN ('requires_capture', 'succeeded')
   AND NOT EXISTS (SELECT FROM payments_payment p WHERE p.provider_id = i.id)
   AND NOT EXISTS (SELECT FROM payments_renewal r WHERE i.id IN (r.old_intent, r.new_intent) AND i.status = 'requires_capture'
                      AND r.state IN ('asking', 'renewed', 'spare'))
