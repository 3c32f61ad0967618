-- I1: Every refund at the provider is one refund of ours with the same amount, or one we are just asking about.
SELECT 'refund ' || r.id, r.amount, count(m.id)
  FROM provider_refund r LEFT JOIN payments_refund m ON m.provider_id = r.id AND m.amount_minor = r.amount
 WHERE r.status = 'succeeded'
   AND NOT EXISTS (SELECT FROM payments_refund u JOIN payments_payment p ON p.id = u.payment_id
                    WHERE p.provider_id = r.intent_id AND u.provider_id = '' AND u.amount_minor = r.amount
                      AND u.state IN ('submitting', 'unknown'))
 GROUP BY r.id, r.amount HAVING count(m.id) <> 1
