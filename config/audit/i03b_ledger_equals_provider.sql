-- I3: For each payment the ledger's clearing account equals what the provider captured less what it refunded.
-- What disputes took, unless they are won, is gone from it too.
-- What the provider is being asked about, or has not told, is left out until its answer is known; but not a share
-- whose saga has ended: nobody may wait for that answer.
SELECT 'payment ' || p.id, coalesce(l.total, 0), coalesce(i.captured, 0) - coalesce(r.total, 0) - coalesce(d.total, 0)
  FROM payments_payment p
  LEFT JOIN (SELECT e.payment_id, sum(l.amount_minor) AS total
               FROM payments_journalline l JOIN payments_journalentry e ON e.id = l.entry_id
              WHERE l.account = 'provider_clearing' GROUP BY 1) l ON l.payment_id = p.id
  LEFT JOIN provider_intent i ON i.id = p.provider_id
  LEFT JOIN (SELECT intent_id, sum(amount) AS total FROM provider_refund WHERE status = 'succeeded' GROUP BY 1) r
    ON r.intent_id = p.provider_id
  LEFT JOIN (SELECT intent_id, sum(amount) AS total FROM provider_dispute
              WHERE status IN ('needs_response', 'under_review', 'lost') GROUP BY 1) d ON d.intent_id = p.provider_id
  LEFT JOIN (SELECT c.payment_id, bool_or(s.id IS NOT NULL AND s.finished_at IS NULL) AS live
               FROM payments_capture c LEFT JOIN sagas_saga s ON s.id = c.saga_id
              WHERE c.state IN ('submitting', 'unknown') GROUP BY 1) o ON o.payment_id = p.id
 WHERE coalesce(l.total, 0) <> coalesce(i.captured, 0) - coalesce(r.total, 0) - coalesce(d.total, 0)
   AND coalesce(NOT o.live, p.state NOT IN ('capturing', 'voiding', 'unknown'))
   AND NOT EXISTS (SELECT FROM payments_refund u
                    WHERE u.payment_id = p.id AND u.state IN ('submitting', 'unknown') AND u.amount_minor > 0)
