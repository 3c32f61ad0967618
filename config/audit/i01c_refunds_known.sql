-- I1: Every refund at the provider is one refund of ours, with the same amount.
SELECT 'refund ' || r.id, r.amount, count(m.id)
  FROM provider_refund r LEFT JOIN payments_refund m ON m.provider_id = r.id AND m.amount_minor = r.amount
 WHERE r.status = 'succeeded'
 GROUP BY r.id, r.amount HAVING count(m.id) <> 1
