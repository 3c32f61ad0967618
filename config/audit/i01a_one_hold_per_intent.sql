-- I1: The provider holds or took no money that no payment of ours knows.
SELECT 'intent ' || i.id, i.status, i.amount
  FROM provider_intent i
 WHERE i.status IN ('requires_capture', 'succeeded')
   AND NOT EXISTS (SELECT FROM payments_payment p WHERE p.provider_id = i.id)
