-- I3: What each dispute took is booked once, and once more when it ended; its payment counts it; and so are its fees.
WITH booked AS (
  SELECT e.source_id AS id,
         sum(l.amount_minor) FILTER (WHERE e.kind = 'dispute_opened' AND l.account = 'disputed') AS taken,
         -sum(l.amount_minor) FILTER (WHERE e.kind = 'dispute_won' AND l.account = 'disputed') AS back,
         sum(l.amount_minor) FILTER (WHERE e.kind = 'dispute_lost' AND l.account = 'dispute_losses') AS lost
    FROM payments_journalentry e JOIN payments_journalline l ON l.entry_id = e.id
   WHERE e.kind IN ('dispute_opened', 'dispute_won', 'dispute_lost') GROUP BY 1
), owned AS (
  SELECT payment_id AS id, sum(withdrawn_minor) FILTER (WHERE state NOT IN ('won', 'lost')) AS open,
         sum(withdrawn_minor) FILTER (WHERE state = 'lost') AS lost
    FROM payments_dispute GROUP BY 1
), fees AS (
  SELECT e.source_id AS id, sum(l.amount_minor) FILTER (WHERE l.account = 'provider_fees') AS total
    FROM payments_journalentry e JOIN payments_journalline l ON l.entry_id = e.id
   WHERE e.kind = 'dispute_fee' GROUP BY 1
)
SELECT 'dispute ' || coalesce(d.provider_id, b.id::text), d.state, d.withdrawn_minor, coalesce(b.taken, 0),
       coalesce(b.back, 0), coalesce(b.lost, 0)
  FROM payments_dispute d FULL JOIN booked b ON b.id = d.id
 WHERE (d.withdrawn_minor, CASE d.state WHEN 'won' THEN d.withdrawn_minor ELSE 0 END,
        CASE d.state WHEN 'lost' THEN d.withdrawn_minor ELSE 0 END)
       IS DISTINCT FROM (coalesce(b.taken, 0), coalesce(b.back, 0), coalesce(b.lost, 0))
UNION ALL
SELECT 'payment ' || p.id, p.flag, p.disputed_minor, coalesce(o.open, 0), p.charged_back_minor, coalesce(o.lost, 0)
  FROM payments_payment p LEFT JOIN owned o ON o.id = p.id
 WHERE (p.disputed_minor, p.charged_back_minor) IS DISTINCT FROM (coalesce(o.open, 0), coalesce(o.lost, 0))
UNION ALL
SELECT 'fee of dispute ' || d.provider_id, d.fee_currency, f.amount_minor, coalesce(b.total, 0), NULL, NULL
  FROM payments_disputefee f JOIN payments_dispute d ON d.id = f.dispute_id LEFT JOIN fees b ON b.id = f.id
 WHERE b.total IS DISTINCT FROM f.amount_minor
