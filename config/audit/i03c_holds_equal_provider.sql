-- I3: For each payment the ledger's holds equal what the provider still holds.
-- What the provider is being asked about, or has not told, is left out until its answer is known; but not a share
-- whose saga has ended: nobody may wait for that answer. A payment of nothing has nothing at the provider.
SELECT 'payment ' || p.id, coalesce(l.total, 0), coalesce(i.held, 0)
  FROM payments_payment p
  LEFT JOIN (SELECT e.payment_id, sum(l.amount_minor) AS total
               FROM payments_journalline l JOIN payments_journalentry e ON e.id = l.entry_id
              WHERE l.account = 'holds' GROUP BY 1) l ON l.payment_id = p.id
  LEFT JOIN provider_intent i ON i.id = p.provider_id
  LEFT JOIN (SELECT c.payment_id, bool_or(s.id IS NOT NULL AND s.finished_at IS NULL) AS live
               FROM payments_capture c LEFT JOIN sagas_saga s ON s.id = c.saga_id
              WHERE c.state IN ('submitting', 'unknown') GROUP BY 1) o ON o.payment_id = p.id
 WHERE coalesce(l.total, 0) <> coalesce(i.held, 0)
   AND coalesce(NOT o.live, p.state NOT IN ('authorizing', 'capturing', 'releasing', 'voiding', 'unknown'))
