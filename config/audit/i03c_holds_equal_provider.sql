-- I3: For each payment the ledger's holds equal what the provider still holds.
-- What the provider is being asked about, or has not told, is left out until its answer is known. A payment of
-- nothing has nothing at the provider.
SELECT 'payment ' || p.id, coalesce(l.total, 0), coalesce(i.held, 0)
  FROM payments_payment p
  LEFT JOIN (SELECT e.payment_id, sum(l.amount_minor) AS total
               FROM payments_journalline l JOIN payments_journalentry e ON e.id = l.entry_id
              WHERE l.account = 'holds' GROUP BY 1) l ON l.payment_id = p.id
  LEFT JOIN provider_intent i ON i.id = p.provider_id
 WHERE coalesce(l.total, 0) <> coalesce(i.held, 0)
   AND p.state NOT IN ('authorizing', 'capturing', 'releasing', 'voiding', 'unknown')
   AND NOT EXISTS (SELECT FROM payments_capture c WHERE c.payment_id = p.id AND c.state IN ('submitting', 'unknown'))
