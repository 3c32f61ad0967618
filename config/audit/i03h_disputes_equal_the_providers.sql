-- I3: Every dispute of ours stands at the provider as here, over the same amount; and it has none of our payments that we lack.
SELECT 'dispute ' || coalesce(d.provider_id, t.id), d.state, t.status, d.amount_minor, t.amount
  FROM (SELECT * FROM payments_dispute WHERE amount_minor > 0) d
  FULL JOIN (SELECT x.* FROM provider_dispute x JOIN payments_payment p ON p.provider_id = x.intent_id AND p.mismatch = '') t
    ON t.id = d.provider_id
 WHERE d.amount_minor IS DISTINCT FROM t.amount OR d.currency IS DISTINCT FROM upper(t.currency)
    OR d.state IS DISTINCT FROM CASE t.status WHEN 'warning_closed' THEN 'won' ELSE replace(t.status, 'warning_', '') END
    OR d.inquiry IS DISTINCT FROM (t.status LIKE 'warning_%')
